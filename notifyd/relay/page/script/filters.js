// --- filters; they are kept in the address, so a filtered view can be bookmarked

const FILTERS = ["view", "q", "workspace", "source", "channel", "priority", "outcome"];
const filters = readFilters();
let shownFilters = "";
let summary = null;
let period = "day";

function readFilters() {
  const address = new URLSearchParams(location.search);
  const found = Object.fromEntries(FILTERS.map((name) => [name, address.get(name) ?? ""]));
  if (!["unread", "archive", "fleet"].includes(found.view)) found.view = "inbox";
  return found;
}

function setFilter(name, value) {
  filters[name] = value;
  const address = new URLSearchParams({ key });
  for (const each of FILTERS) {
    if (filters[each] !== "" && !(each === "view" && filters.view === "inbox")) address.set(each, filters[each]);
  }
  history.replaceState(null, "", `${location.pathname}?${address}`);
  showFilters();
  reload();
}

function isFiltered() {
  return FILTERS.some((name) => name !== "view" && filters[name] !== "");
}

// Whether a notification that has just arrived belongs into the list.
function passes(item) {
  if (filters.view === "archive" || item.archived) return false;
  const text = [item.title, item.body, item.token, item.workspace_id, JSON.stringify(item.data)].join("\n").toLowerCase();
  return (
    filters.q.toLowerCase().split(/\s+/).every((word) => text.includes(word)) &&
    (filters.workspace === "" || filters.workspace === item.workspace_id) &&
    (filters.channel === "" || filters.channel === item.data.channel) &&
    ["source", "priority", "outcome"].every((name) => filters[name] === "" || filters[name] === item[name])
  );
}

function choices() {
  const words = (table) => Object.fromEntries(Object.entries(table).map(([name, word]) => [name, word.word ?? word]));
  const counted = (counts) => Object.fromEntries(Object.keys(counts ?? {}).sort().map((name) => [name, name]));
  return {
    outcome: ["Outcome", words(OUTCOMES)],
    priority: ["Priority", words(PRIORITIES)],
    source: ["Source", counted(summary?.sources)],
    channel: ["Channel", counted(summary?.channels)],
    workspace: ["Workspace", counted(summary?.workspaces)],
  };
}

function showFilters() {
  const offered = choices();
  const state = JSON.stringify([offered, filters]);
  if (state === shownFilters) return; // a button that is replaced loses the focus, and the click on it
  shownFilters = state;
  const focused = document.activeElement?.dataset.filter;
  const groups = Object.entries(offered).map(([name, [label, options]]) => filterGroup(name, label, options));
  byId("filter-groups").replaceChildren(...groups.filter(Boolean));
  const buttons = [...byId("filter-groups").querySelectorAll("button")];
  if (focused) buttons.find((button) => button.dataset.filter === focused)?.focus();
  document.body.dataset.view = filters.view;
  for (const button of byId("views").querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === filters.view));
  }
  const set = FILTERS.filter((name) => !["view", "q"].includes(name) && filters[name] !== "").length;
  byId("filter-count").textContent = set > 0 ? ` (${set})` : "";
  byId("clear-filters").hidden = !isFiltered();
}

function filterGroup(name, label, options) {
  if (filters[name] !== "" && !Object.hasOwn(options, filters[name])) options[filters[name]] = filters[name];
  const names = Object.keys(options);
  if (names.length < 2 && filters[name] === "") return null;
  const group = document.createElement("fieldset");
  const legend = document.createElement("legend");
  legend.textContent = label;
  group.append(legend);
  for (const value of names) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "chip-button";
    button.dataset.filter = `${name}=${value}`;
    button.textContent = replaceControls(options[value]);
    button.setAttribute("aria-pressed", String(filters[name] === value));
    button.addEventListener("click", () => setFilter(name, filters[name] === value ? "" : value));
    group.append(button);
  }
  return group;
}

async function refreshSummary() {
  summary = await ask("/inbox/summary", { period });
  for (const name of Object.keys(summary.workspaces)) workspaces.add(name);
  showFilters();
  showChart();
  showCounts();
}

// --- the chart

function showChart() {
  const totals = summary.bars.map((bar) => Object.values(bar).reduce((sum, number) => sum + number, 0));
  const most = Math.max(...totals);
  byId("chart").hidden = most === 0;
  const bars = summary.bars.map((bar, index) => {
    const column = document.createElement("span");
    const start = new Date(Date.now() - (summary.bars.length - index) * summary.bar_seconds * 1000);
    const names = Object.entries(bar).sort(([, one], [, other]) => other - one);
    column.title = `${period === "day" ? clock.format(start) : date.format(start)}: ${count(totals[index], "notification")}`;
    for (const [name, number] of names) {
      const part = document.createElement("i");
      part.style.setProperty("height", `${(100 * number) / most}%`);
      part.style.setProperty("--hue", hue(name));
      column.append(part);
    }
    return column;
  });
  const sum = totals.reduce((all, number) => all + number, 0);
  const text = `${count(sum, "notification")} in the last ${period === "day" ? "24 hours" : "24 days"}`;
  byId("bars").replaceChildren(...bars);
  byId("bars").setAttribute("aria-label", text);
  byId("chart-text").textContent = text;
  byId("period").textContent = period === "day" ? "Days" : "Hours";
}
