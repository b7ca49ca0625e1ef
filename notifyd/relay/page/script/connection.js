// --- the connection: the list first, then what comes

const STATES = { connecting: "Connecting", live: "Live", lost: "Offline" };
let events = null;
let lastWord = Number(localStorage.getItem("last-word")) || 0;
let unread = 0;
let hasLoaded = false;
let summaryTimer = 0;

async function reload() {
  isLoading = true;
  try {
    // Behind the fleet is the whole inbox.
    const wanted = filters.view === "fleet" ? {} : filters;
    const [page] = await Promise.all([listPage(wanted, null), refreshSummary()]);
    await refreshFleet().catch(() => setState("lost")); // offline there is none
    hasLoaded = true;
    next = page.next;
    setItems(page.notifications);
    listen(page.cursor);
  } catch (error) {
    if (error instanceof KeyError) return showWrongKey();
    setState("lost");
  } finally {
    isLoading = false;
  }
  byId("more").hidden = next === null;
  showCounts();
}

async function loadOlder() {
  if (isLoading || next === null) return;
  isLoading = true;
  try {
    const page = await listPage(filters.view === "fleet" ? {} : filters, next);
    next = page.next;
    append(page.notifications);
  } catch {
    setState("lost");
  } finally {
    isLoading = false;
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
  events = new EventSource(`/inbox/events?${new URLSearchParams({ key, after: cursor })}`);
  events.addEventListener("notification", (event) => receive(JSON.parse(event.data)));
  events.addEventListener("changes", (event) => follow(JSON.parse(event.data).notifications));
  events.addEventListener("fleet", refreshFleetSoon);
  events.addEventListener("reset", reload);
  events.addEventListener("live", () => setState("live"));
  events.addEventListener("error", () => {
    setState("lost");
    if (events.readyState === EventSource.CLOSED) checkKey();
  });
}

async function checkKey() {
  try {
    await refreshSummary();
  } catch (error) {
    if (error instanceof KeyError) showWrongKey();
  }
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
  if (states.some((state) => !cards.has(state.seq) && !state.deleted && !state.archived)) reload();
  refreshSoon();
}

function heard() {
  lastWord = Date.now();
  localStorage.setItem("last-word", String(lastWord));
}

function refreshSoon() {
  clearTimeout(summaryTimer);
  summaryTimer = setTimeout(() => refreshSummary().catch(() => setState("lost")), 300);
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
  byId("read-all").hidden = unread === 0 || filters.view === "archive";
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
  localStorage.removeItem("last-word");
  location.reload(); // the relay explains it
}
