// --- pushes on this device, also while the page is closed

let pushKey = null; // with which this browser subscribes
let pushDevice = null; // this device as the relay knows it; null while it gets no pushes

function pushObstacle() {
  if (!window.isSecureContext) return "Pushes need HTTPS: open this page at an https address.";
  if ("serviceWorker" in navigator && "PushManager" in window && "Notification" in window) return "";
  if (/iPhone|iPad/.test(navigator.userAgent)) return "First add this page to the home screen, and open it there.";
  return "This browser has no Web Push.";
}

function deviceName() {
  const agent = navigator.userAgent;
  const system = /iPhone|iPad|Android|Windows|Macintosh|CrOS|Linux/.exec(agent)?.[0] ?? "Browser";
  const browser = /Firefox|Edg|OPR|Chrome|Safari/.exec(agent)?.[0] ?? "";
  const words = { Macintosh: "Mac", CrOS: "Chromebook", Edg: "Edge", OPR: "Opera" };
  return [system, browser].filter(Boolean).map((word) => words[word] ?? word).join(", ");
}

async function loadPush() {
  let note = pushObstacle();
  if (!note) {
    const known = kept("push-device") ?? "";
    const answer = await ask("/inbox/push", { device: known });
    pushKey = answer.public_key;
    pushDevice = answer.device;
    if (pushDevice === null) keep("push-device", null);
    note = pushKey === null ? `${answer.reason}.` : "";
    // The browser may have renewed its subscription since.
    if (pushDevice !== null) await savePush({});
  }
  showPush(note);
}

async function turnPushOn() {
  if ((await Notification.requestPermission()) !== "granted") {
    throw new Error("allow notifications in the browser's settings of this page");
  }
  const worker = await navigator.serviceWorker.ready;
  // A subscription made with another relay's key cannot be used with this one.
  await (await worker.pushManager.getSubscription())?.unsubscribe();
  await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: pushKey });
  await savePush({});
}

async function turnPushOff() {
  const { device_id: device } = pushDevice;
  pushDevice = null;
  keep("push-device", null);
  const worker = await navigator.serviceWorker.ready;
  await (await worker.pushManager.getSubscription())?.unsubscribe();
  await fetch(`/inbox/push/${encodeURIComponent(device)}?${new URLSearchParams({ key })}`, { method: "DELETE" });
}

// Tells the relay where this device gets its pushes, and which ones. changes: fields that differ.
async function savePush(changes) {
  const worker = await navigator.serviceWorker.ready;
  const subscription = (await worker.pushManager.getSubscription())?.toJSON();
  if (!subscription) return;
  const { device } = await ask("/inbox/push", {}, {
    endpoint: subscription.endpoint,
    ...subscription.keys,
    name: deviceName(),
    workspaces: pushDevice?.workspaces ?? [],
    channels: pushDevice?.channels ?? [],
    ...changes,
  });
  pushDevice = device;
  keep("push-device", device.device_id);
}

async function changePush(change) {
  byId("push").disabled = true;
  let note = "";
  try {
    await change();
  } catch (error) {
    if (error instanceof KeyError) return showWrongKey();
    note = `Not done: ${error.message || "the relay cannot be reached"}.`;
  } finally {
    byId("push").disabled = false;
  }
  showPush(note);
  reload({ keepsPlace: true }); // the relay counts an open page that gets pushes as one device
}

function showPush(note) {
  const isOn = pushDevice !== null;
  byId("push-on").checked = isOn;
  byId("push-on").disabled = pushKey === null;
  byId("push-note").textContent = note || (pushDevice?.problem ? `Last push failed: ${pushDevice.problem}.` : "");
  byId("push-note").hidden = byId("push-note").textContent === "";
  byId("push-details").hidden = !isOn;
  if (!isOn) return;
  const until = pushDevice.muted_until ? new Date(pushDevice.muted_until) : null;
  const isMuted = until !== null && until > Date.now();
  byId("push-muted").textContent = isMuted ? `Muted until ${until.toLocaleString(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" })}` : "";
  byId("push-muted").hidden = !isMuted;
  for (const button of byId("push-mute").querySelectorAll("button")) {
    button.hidden = isMuted !== (button.dataset.mute === "off");
  }
  byId("push-choices").replaceChildren(
    ...choiceGroup("workspaces", "Workspaces", summary?.workspaces),
    ...choiceGroup("channels", "Channels", summary?.channels),
  );
}

// A box for each name; with none checked, all are meant.
function choiceGroup(field, label, counts) {
  const chosen = pushDevice[field] ?? [];
  const names = [...new Set([...Object.keys(counts ?? {}), ...chosen])];
  if (names.length < 2 && chosen.length === 0) return [];
  const title = document.createElement("p");
  title.className = "choice-title";
  title.textContent = chosen.length === 0 ? `${label}: all` : `${label}: only`;
  const boxes = names.map((name) => {
    const box = document.createElement("input");
    box.type = "checkbox";
    box.checked = chosen.includes(name);
    box.addEventListener("change", () => {
      const wanted = box.checked ? [...chosen, name] : chosen.filter((other) => other !== name);
      changePush(() => savePush({ [field]: wanted }));
    });
    const row = document.createElement("label");
    row.append(box, ` ${replaceControls(name)}`);
    return row;
  });
  return [title, ...boxes];
}

function secondsUntilTomorrow() {
  const morning = new Date();
  morning.setDate(morning.getDate() + 1);
  morning.setHours(8, 0, 0, 0);
  return (morning - Date.now()) / 1000;
}

const MUTES = { hour: () => 3600, tomorrow: secondsUntilTomorrow, off: () => 0 };
byId("push-on").addEventListener("change", (event) => changePush(event.target.checked ? turnPushOn : turnPushOff));
for (const button of byId("push-mute").querySelectorAll("button")) {
  button.addEventListener("click", () => changePush(() => savePush({ mute: MUTES[button.dataset.mute]() })));
}
byId("open-settings").addEventListener("click", () => loadPush().catch((error) => {
  if (error instanceof KeyError) showWrongKey();
  else showPush("The relay cannot be reached.");
}));

// --- opened by a click on a push

async function reveal(seq) {
  if (!cards.has(seq)) {
    for (const name of FILTERS) filters[name] = name === "view" ? "inbox" : "";
    showFilters();
    await reload();
  }
  while (!cards.has(seq) && next !== null && next > seq) {
    const before = next;
    await loadOlder();
    if (next === before) break;
  }
  const card = cards.get(seq);
  if (!card) return showToast("This notification is archived or deleted");
  if (!card.root.isConnected) {
    const repeats = ordered.slice(ordered.indexOf(card)).findIndex((other) => stackKey(other.item) !== stackKey(card.item));
    const last = repeats < 0 ? ordered.length : ordered.indexOf(card) + repeats;
    openStacks.add(ordered[last - 1].item.seq);
    layOut();
  }
  if (!card.isOpen) card.toggle();
  select(card);
}

function revealFromAddress() {
  const found = /^#n(\d+)$/.exec(location.hash);
  if (!found) return;
  history.replaceState(null, "", location.pathname + location.search);
  reveal(Number(found[1]));
}

navigator.serviceWorker?.addEventListener("message", (event) => reveal(event.data.seq));
window.addEventListener("hashchange", revealFromAddress);
