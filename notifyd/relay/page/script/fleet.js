// --- the fleet: workspaces by state

const WORKSPACE_STATES = {
  missing: { sign: "!", word: "Missing", tone: "bad" },
  failing: { sign: "✕", word: "Failing", tone: "bad" },
  warning: { sign: "!", word: "Warning", tone: "warn" },
  updating: { sign: "↻", word: "Updating", tone: "" },
  ok: { sign: "✓", word: "OK", tone: "good" },
  asleep: { sign: "☾", word: "Asleep", tone: "" },
  ephemeral: { sign: "·", word: "Ephemeral", tone: "" },
};
const MOST_OPEN = 50; // a group of more is closed at first
const PAUSE = 86_400;

const fleet = new Map(); // WorkspaceRow by workspace_id
const groupIsOpen = new Map(); // by state, once a person has chosen
let fleetTotal = 0;
let fleetNext = 0; // of the relay's clock: what changed from then on is asked for
let clockOffset = 0; // milliseconds that the relay's clock is ahead of this one
let fleetTimer = 0;

class WorkspaceRow {
  constructor(item) {
    this.root = byId("workspace").content.firstElementChild.cloneNode(true);
    this.article = this.root.querySelector("article");
    this.more = this.root.querySelector(".more-actions");
    this.root.querySelector(".name").addEventListener("click", () => this.toggle());
    this.more.addEventListener("click", () => this.#showActions(this.actions.hidden));
    this.actions = this.root.querySelector(".actions");
    for (const button of this.actions.querySelectorAll("[data-watch]")) {
      button.addEventListener("click", () => this.#press(button.dataset.watch));
    }
    this.follow(item);
  }

  // Shows what a workspace has reported since.
  follow(item) {
    this.item = item;
    const { sign, word, tone } = WORKSPACE_STATES[item.state] ?? WORKSPACE_STATES.warning;
    const { root } = this;
    this.article.dataset.tone = tone;
    fill(root, ".tile", sign);
    fill(root, ".name", item.workspace_id);
    this.article.setAttribute("aria-label", `${item.workspace_id}, ${word}`);
    fill(root, ".host", item.host === item.workspace_id ? "" : item.host);
    fill(root, ".version", item.version);
    fill(root, ".waiting", item.waiting > 0 ? `${item.waiting.toLocaleString()} waiting` : "");
    fill(root, ".paused", this.isPaused ? "Paused" : "");
    fill(root, ".always", item.ephemeral && item.state !== "ephemeral" ? "Ephemeral" : "");
    this.more.setAttribute("aria-label", `Actions for ${item.workspace_id}`);
    this.actions.querySelector('[data-watch="pause"]').hidden = this.isPaused;
    this.actions.querySelector('[data-watch="resume"]').hidden = !this.isPaused;
    this.actions.querySelector('[data-watch="ephemeral"]').hidden = item.ephemeral;
    this.actions.querySelector('[data-watch="permanent"]').hidden = !item.ephemeral;
    this.updateTimes();
  }

  updateTimes() {
    const { item, root } = this;
    const at = relayTime(item.reported_at);
    const time = fill(root, "time", lastWordText(at));
    time.dateTime = at.toISOString();
    time.title = `Last report: ${exact.format(at)}`;
    fill(root, ".reasons", this.#reasons());
  }

  get isPaused() {
    return isPaused(this.item);
  }

  #reasons() {
    const { item } = this;
    const parts = [...item.reasons];
    if (item.worst && item.worst.since > 0) parts.push(`for ${span((Date.now() + clockOffset) / 1000 - item.worst.since)}`);
    if (item.state === "asleep") parts.push(item.announcement === "sleeping" ? "sleeps" : "stopped");
    if (item.announcement === "awake" && item.slept >= 60) parts.push(`slept for ${span(item.slept)}`);
    return parts.join(" · ");
  }

  // Opens the history of the workspace: the inbox, with this workspace alone.
  toggle() {
    filters.view = "inbox";
    filters.q = byId("search").value = "";
    setFilter("workspace", this.item.workspace_id);
  }

  #showActions(isOpen) {
    this.actions.hidden = !isOpen;
    this.more.setAttribute("aria-expanded", String(isOpen));
  }

  async #press(action) {
    const seconds = action === "pause" ? { seconds: PAUSE } : {};
    try {
      await watchWorkspace(this.item.workspace_id, action, seconds);
      this.#showActions(false);
      this.more.focus();
      if (action === "forget") fleet.delete(this.item.workspace_id);
      await refreshFleet();
    } catch (error) {
      reportFailure(error);
    }
  }
}

function isPaused(item) {
  return item.paused_until !== null && item.paused_until * 1000 > Date.now() + clockOffset;
}

function relayTime(seconds) {
  return new Date(Math.min(seconds * 1000 - clockOffset, 8e15));
}

function lastWordText(time) {
  return daysAgo(time) === 0 ? relative(time) : `${dayName(time)}, ${clock.format(time)}`;
}

function span(seconds) {
  const minutes = Math.max(Math.round(seconds / 60), 0);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

// --- asking for it

// Asks for what has changed; for everything if a workspace has left the fleet.
async function refreshFleet() {
  const isShown = filters.view === "fleet";
  const answer = await listFleet(isShown ? fleetNext : 1e12);
  clockOffset = answer.now * 1000 - Date.now();
  fleetTotal = answer.total;
  if (isShown) {
    fleetNext = answer.next;
    for (const item of answer.workspaces) takeWorkspace(item);
    if (fleet.size !== fleetTotal) await reloadFleet();
    layOutFleet();
  }
  showFleetButton();
}

async function reloadFleet() {
  const answer = await listFleet(0);
  fleetTotal = answer.total;
  const present = new Set(answer.workspaces.map((item) => item.workspace_id));
  for (const name of fleet.keys()) if (!present.has(name)) fleet.delete(name);
  for (const item of answer.workspaces) takeWorkspace(item);
}

function takeWorkspace(item) {
  const row = fleet.get(item.workspace_id);
  if (row) row.follow(item);
  else fleet.set(item.workspace_id, new WorkspaceRow(item));
}

// Reports of many workspaces share one request.
function refreshFleetSoon() {
  if (fleetTimer !== 0) return;
  fleetTimer = setTimeout(() => {
    fleetTimer = 0;
    refreshFleet().catch(reportFailure);
  }, 500);
}

function showFleetButton() {
  const isUsed = fleetTotal > 0 || filters.view === "fleet";
  byId("views").querySelector('[data-view="fleet"]').hidden = !isUsed;
  if (isUsed) byId("views").hidden = false;
}

// --- showing it

let shownLayout = "";

function layOutFleet() {
  const words = filters.q.toLowerCase().split(/\s+/);
  const rows = [...fleet.values()].filter((row) => {
    const text = `${row.item.workspace_id}\n${row.item.host}\n${row.item.reasons.join("\n")}`.toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const groups = Object.keys(WORKSPACE_STATES)
    .map((state) => [state, rows.filter((row) => row.item.state === state).sort(byUrgency)])
    .filter(([, members]) => members.length > 0);
  const layout = JSON.stringify(groups.map(([state, members]) => [state, isOpenGroup(state, members), members.map((row) => row.item.workspace_id)]));
  if (layout === shownLayout) return;
  shownLayout = layout;
  const place = byId("fleet-groups");
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const focusedState = focused?.closest("h2") ? focused.closest("section").dataset.state : null;
  place.replaceChildren(...groups.map(([state, members]) => groupOf(state, members)));
  if (focusedState) place.querySelector(`[data-state="${focusedState}"] h2 button`)?.focus({ preventScroll: true });
  else focused?.focus({ preventScroll: true });
  const parts = groups.map(([state, members]) => `${members.length.toLocaleString()} ${WORKSPACE_STATES[state].word.toLowerCase()}`);
  const none = fleet.size === 0 ? "No workspace reports to this relay." : "No workspace matches the search.";
  byId("fleet-summary").textContent = rows.length === 0 ? none : `${count(rows.length, "workspace")}: ${parts.join(", ")}`;
}

function byUrgency({ item: one }, { item: other }) {
  if (one.state === "missing") return one.reported_at - other.reported_at || (one.workspace_id < other.workspace_id ? -1 : 1);
  return one.workspace_id.localeCompare(other.workspace_id, undefined, { numeric: true });
}

function isOpenGroup(state, members) {
  return groupIsOpen.get(state) ?? members.length <= MOST_OPEN;
}

function groupOf(state, members) {
  const group = byId("fleet-group").content.firstElementChild.cloneNode(true);
  const { word, tone } = WORKSPACE_STATES[state];
  const isOpen = isOpenGroup(state, members);
  group.dataset.state = state;
  group.dataset.tone = tone;
  fill(group, ".word", word);
  fill(group, ".number", members.length.toLocaleString());
  const button = group.querySelector("button");
  button.setAttribute("aria-expanded", String(isOpen));
  button.addEventListener("click", () => {
    groupIsOpen.set(state, !isOpen);
    layOutFleet();
  });
  if (isOpen) group.querySelector("ol").append(...members.map((row) => row.root));
  return group;
}

function visibleWorkspaces() {
  return [...byId("fleet-groups").querySelectorAll("article")].map((article) => fleet.get(article.querySelector(".name").textContent)).filter(Boolean);
}

function refreshFleetTimes() {
  for (const row of fleet.values()) if (row.root.isConnected) row.updateTimes();
}
