"use strict";

// Text from outside is only ever set as textContent, so it is shown and never interpreted.
// Control characters and bidirectional marks are replaced.

const MOST_CARDS = 500;
const LONG_TEXT = { characters: 420, lines: 5 };
const WORDS = { urgent: "Urgent", high: "High", low: "Low", min: "Min" };
const STATES = {
  connecting: "Connecting",
  live: "Live",
  lost: "Reconnecting",
  closed: "Disconnected: open the URL that the relay printed",
};

const byId = (id) => document.getElementById(id);
const days = byId("days");
const shown = [];  // newest first: {card, article, search, important, at}
let latest = 0;
let live = false;
let unread = 0;

// --- times

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const midnight = (time) => new Date(time.getFullYear(), time.getMonth(), time.getDate());
const daysAgo = (time) => Math.round((midnight(new Date()) - midnight(time)) / 86_400_000);

function relative(time) {
  const minutes = Math.floor((Date.now() - time) / 60_000);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 360) return `${Math.floor(minutes / 60)} h ago`;
  return clock.format(time);
}

function dayName(time) {
  return ["Today", "Yesterday"][daysAgo(time)] ?? date.format(time);
}

function refreshTimes() {
  for (const { card, at } of shown) card.querySelector("time").textContent = relative(at);
  for (const day of days.children) {
    day.querySelector("h2").textContent = dayName(new Date(Number(day.dataset.start)));
  }
}

// --- one card

function hue(name) {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) % 360;
  return sum;
}

function stringOrEmpty(value) {
  return typeof value === "string" ? value : "";
}

function formatValue(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 1);
}

function replaceControls(text) {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

function fill(card, selector, text) {
  const element = card.querySelector(selector);
  element.textContent = replaceControls(text);
  element.hidden = text === "";
  return element;
}

function addDetail(list, name, value) {
  const term = document.createElement("dt");
  const description = document.createElement("dd");
  term.textContent = replaceControls(name);
  description.textContent = replaceControls(value);
  list.append(term, description);
}

function foldIfLong(card, text) {
  if (text.length <= LONG_TEXT.characters && text.split("\n").length <= LONG_TEXT.lines) return;
  const body = card.querySelector(".text");
  const more = card.querySelector(".more");
  body.classList.add("folded");
  more.hidden = false;
  more.addEventListener("click", () => {
    const folded = body.classList.toggle("folded");
    more.textContent = folded ? "Show all" : "Show less";
    more.setAttribute("aria-expanded", String(!folded));
  });
}

function buildCard(item) {
  const card = byId("card").content.firstElementChild.cloneNode(true);
  const article = card.querySelector("article");
  const { data } = item;
  // An object from JSON may throw when converted to a string or a number, so none is.
  const source = stringOrEmpty(data.trigger) || item.token || item.workspace_id;
  const priority = stringOrEmpty(data.priority) || "default";
  const count = typeof data.count === "number" ? data.count : Number(stringOrEmpty(data.count));
  const at = new Date(item.received_at);

  article.dataset.priority = priority;
  const tile = fill(card, ".tile", [...source][0].toUpperCase());
  tile.style.setProperty("--hue", hue(source));
  fill(card, ".source", source);
  fill(card, ".times", count > 1 && Number.isSafeInteger(count) ? `× ${count}` : "").title = `${count} times`;
  fill(card, ".chip", Object.hasOwn(WORDS, priority) ? WORDS[priority] : "");
  const time = fill(card, "time", relative(at));
  time.dateTime = item.received_at;
  time.title = exact.format(at);
  fill(card, ".title", item.title ?? "");
  fill(card, ".text", item.body ?? "");
  foldIfLong(card, item.body ?? "");

  const details = card.querySelector("dl");
  addDetail(details, "received", exact.format(at));
  if (item.token !== null) addDetail(details, "token", item.token);
  for (const [name, value] of Object.entries(data)) addDetail(details, name, formatValue(value));
  return {
    card,
    at,
    article,
    important: priority === "urgent" || priority === "high",
    search: [source, item.title, item.body, JSON.stringify(data)].join("\n").toLowerCase(),
  };
}

// --- the list

function dayList(time) {
  const start = String(midnight(time).getTime());
  for (const day of days.children) {
    if (day.dataset.start === start) return day.querySelector("ol");
  }
  const day = byId("day").content.firstElementChild.cloneNode(true);
  day.dataset.start = start;
  day.querySelector("h2").textContent = dayName(time);
  days.prepend(day);
  return day.querySelector("ol");
}

function add(item) {
  if (item.seq <= latest) return;
  latest = item.seq;
  const entry = buildCard(item);
  shown.unshift(entry);
  dayList(entry.at).prepend(entry.card);
  if (shown.length > MOST_CARDS) removeCard(shown.pop());
  applyFilter(entry);
  if (live) announce(entry, item);
}

function removeCard({ card }) {
  const day = card.closest(".day");
  card.remove();
  if (!day.querySelector("li")) day.remove();
}

function announce({ article }, item) {
  article.classList.add("fresh");
  byId("announcer").textContent = [item.title, item.body].filter(Boolean).join(": ");
  if (document.hidden) {
    unread += 1;
    article.classList.add("unread");
  }
  showCounts();
}

function markRead() {
  if (document.hidden) return;
  unread = 0;
  showCounts();
  refreshTimes();
  const seen = document.querySelectorAll(".unread");
  setTimeout(() => seen.forEach((card) => card.classList.remove("unread")), 5_000);
}

function showCounts() {
  document.title = unread > 0 ? `(${unread}) Inbox` : "Inbox";
  byId("count").textContent = shown.length;
  byId("count").hidden = shown.length === 0;
  byId("tools").hidden = shown.length === 0;
  byId("empty").hidden = !live || shown.length > 0;
  byId("no-hits").hidden = shown.length === 0 || shown.some(({ card }) => !card.hidden);
}

function applyFilter({ card, search, important }) {
  const words = byId("filter").value.toLowerCase().split(/\s+/);
  const hit = words.every((word) => search.includes(word));
  card.hidden = !hit || (byId("important").checked && !important);
}

// --- the connection

function setState(state) {
  byId("connection").dataset.state = state;
  byId("connection-text").textContent = STATES[state];
}

function connect() {
  const key = new URLSearchParams(location.search).get("key") ?? "";
  const events = new EventSource(`/inbox/events?key=${encodeURIComponent(key)}`);
  events.addEventListener("notification", (event) => add(JSON.parse(event.data)));
  events.addEventListener("live", () => {
    live = true;
    setState("live");
    showCounts();
  });
  events.addEventListener("error", () => {
    setState(events.readyState === EventSource.CLOSED ? "closed" : "lost");
  });
}

for (const element of document.querySelectorAll("[data-origin]")) element.textContent = location.origin;
for (const id of ["filter", "important"]) {
  byId(id).addEventListener("input", () => {
    shown.forEach(applyFilter);
    showCounts();
  });
}
document.addEventListener("visibilitychange", markRead);
setInterval(refreshTimes, 20_000);
connect();
