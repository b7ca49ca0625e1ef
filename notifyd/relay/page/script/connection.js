// --- the connection: the list first, then what comes

const STATES = { connecting: "Connecting", live: "Live", lost: "Offline" };
let events = null;
let lastWord = Number(kept("last-word")) || 0;
let unread = 0;
let hasLoaded = false;
let summaryTimer = 0;
let summaryIsDue = false;
let reloadTimer = 0;
let failures = 0;
let listNumber = 0; // of the list that was asked for last: what comes for an earlier one is dropped

// Reads the list again, as long as it was if it may not lose its place.
async function reload({ keepsPlace = false } = {}) {
  clearTimeout(reloadTimer);
  const number = ++listNumber;
  const limit = keepsPlace ? Math.min(Math.max(ordered.length, 50), 200) : 50;
  isLoading = true;
  try {
    // Behind the fleet is the whole inbox.
    const wanted = filters.view === "fleet" ? {} : filters;
    const [page] = await Promise.all([listPage(wanted, null, limit), refreshSummary()]);
    if (number !== listNumber) return;
    await refreshFleet().catch(() => setState("lost")); // offline there is none
    if (number !== listNumber) return;
    failures = 0;
    hasLoaded = true;
    next = page.next;
    setItems(page.notifications);
    listen(page.cursor);
  } catch (error) {
    if (error instanceof KeyError) return showWrongKey();
    if (number === listNumber) tryAgain();
  } finally {
    if (number === listNumber) isLoading = false;
  }
  byId("more").hidden = next === null;
  showCounts();
}

// An event stream that was refused, by a proxy or because too many pages are open, never comes back by itself.
function tryAgain() {
  setState("lost");
  failures += 1;
  clearTimeout(reloadTimer);
  reloadTimer = setTimeout(reload, Math.min(2_000 * 2 ** failures, 60_000) * (0.5 + Math.random() / 2), { keepsPlace: true });
}

async function loadOlder() {
  if (isLoading || next === null) return;
  const number = listNumber;
  isLoading = true;
  try {
    const page = await listPage(filters.view === "fleet" ? {} : filters, next);
    if (number !== listNumber) return;
    next = page.next;
    append(page.notifications);
  } catch (error) {
    reportFailure(error);
    await new Promise((resolve) => setTimeout(resolve, 2_000));
  } finally {
    if (number === listNumber) isLoading = false;
  }
  byId("more").hidden = next === null;
  // An observer speaks only when the place comes into view: it may still be there.
  endWatcher.unobserve(byId("more"));
  endWatcher.observe(byId("more"));
}

const endWatcher = new IntersectionObserver(
  (entries) => { if (entries.some((entry) => entry.isIntersecting)) loadOlder(); },
  { rootMargin: "600px" },
);
endWatcher.observe(byId("more"));

function listen(cursor) {
  events?.close();
  events = new EventSource(`/inbox/events?${new URLSearchParams({ key, after: cursor, device: kept("push-device") ?? "" })}`);
  events.addEventListener("notification", (event) => receive(JSON.parse(event.data)));
  events.addEventListener("changes", (event) => follow(JSON.parse(event.data).notifications));
  events.addEventListener("fleet", refreshFleetSoon);
  events.addEventListener("reset", () => reload({ keepsPlace: true }));
  events.addEventListener("live", (event) => {
    reloadIfUpdated(JSON.parse(event.data).version);
    failures = 0;
    setState("live");
  });
  events.addEventListener("error", () => {
    setState("lost");
    if (events.readyState === EventSource.CLOSED) checkKey();
  });
}

async function checkKey() {
  try {
    await refreshSummary();
  } catch (error) {
    if (error instanceof KeyError) return showWrongKey();
  }
  tryAgain();
}

function receive(item) {
  heard();
  if (passes(item)) prepend(item);
  byId("announcer").textContent = [item.title, item.body].filter(Boolean).join(": ");
  refreshSoon();
}

function follow(states) {
  heard();
  for (const state of states) {
    const card = cards.get(state.seq);
    if (!card) continue;
    card.follow(state);
    if (state.deleted || state.archived !== (filters.view === "archive")) remove(card);
  }
  // What came back, by an undo on another page, is not here.
  const oldest = next === null ? 0 : ordered.at(-1)?.item.seq ?? 0;
  const isMissing = (state) => !cards.has(state.seq) && state.seq > oldest && !state.deleted && !state.archived;
  if (filters.view === "inbox" && !isFiltered() && states.some(isMissing)) reload({ keepsPlace: true });
  refreshSoon();
}

function heard() {
  lastWord = Date.now();
  keep("last-word", String(lastWord));
}

// Refreshes the counts soon, but at most once in a second, however much comes.
function refreshSoon() {
  summaryIsDue = true;
  if (summaryTimer) return;
  summaryTimer = setTimeout(async () => {
    summaryIsDue = false;
    await refreshSummary().catch((error) => { if (error instanceof KeyError) showWrongKey(); });
    summaryTimer = setTimeout(() => {
      summaryTimer = 0;
      if (summaryIsDue) refreshSoon();
    }, 1_000);
  }, 300);
}

// After an update of the relay its page is another one. Relays of different versions behind one
// address must not keep the page reloading.
function reloadIfUpdated(version) {
  if (version === document.body.dataset.version || kept("reloaded-for") === version) return;
  keep("reloaded-for", version);
  if (kept("reloaded-for") === version) location.reload();
}

// --- what the page says about itself

function setState(state) {
  if (state === "live") heard();
  byId("connection").dataset.state = state;
  byId("connection-text").textContent = STATES[state];
  showOffline();
}

function showOffline() {
  const isLost = byId("connection").dataset.state === "lost";
  byId("offline").hidden = !isLost;
  const since = lastWord ? ` Last update: ${age(lastWord)}.` : "";
  byId("offline-text").textContent = `The relay cannot be reached.${since}`;
}

function showCounts() {
  unread = summary?.unread ?? unread;
  document.title = unread > 0 ? `(${unread}) Inbox` : "Inbox";
  byId("unread").textContent = unread.toLocaleString();
  byId("unread").hidden = unread === 0;
  byId("unread").setAttribute("aria-label", `${unread} unread`);
  byId("read-all").hidden = filters.view === "archive" || (isFiltered() ? ordered.every(({ item }) => item.read) : unread === 0);
  byId("read-all").textContent = isFiltered() ? "Mark these as read" : "Mark all as read";
  const isEmpty = hasLoaded && ordered.length === 0;
  const hasNone = isEmpty && summary?.stored === 0;
  byId("empty").hidden = !hasNone;
  byId("tools").hidden = hasNone;
  byId("views").hidden = hasNone;
  showFleetButton();
  byId("filters").hidden = hasNone;
  byId("no-hits").hidden = !isEmpty || hasNone;
  const nothing = { inbox: "Nothing in the inbox.", unread: "Everything is read.", archive: "Nothing is archived." };
  byId("no-hits").textContent = isFiltered() ? "No notification matches the search and the filters." : nothing[filters.view];
  drawIcon(unread > 0);
}

const plainIcon = byId("icon").href;
function drawIcon(hasUnread) {
  const dot = encodeURIComponent('<circle cx="78%" cy="22%" r="22%" fill="#e5484d"/></svg>');
  byId("icon").href = hasUnread ? plainIcon.replace(/%3C\/svg%3E\s*(?:%0A)?$/i, dot) : plainIcon;
}

function showWrongKey() {
  events?.close();
  keep("last-word", null);
  location.reload(); // the relay explains it
}
