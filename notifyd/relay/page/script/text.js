"use strict";

// Text from outside is only ever set as textContent, so it is shown and never interpreted.
// Control characters and bidirectional marks are replaced.

const byId = (id) => document.getElementById(id);

function replaceControls(text) {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g, "\ufffd");
}

function stringOrEmpty(value) {
  return typeof value === "string" ? value : "";
}

function formatValue(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 1);
}

function fill(parent, selector, text) {
  const element = parent.querySelector(selector);
  element.textContent = replaceControls(text);
  element.hidden = text === "";
  return element;
}

function count(number, noun) {
  return `${number.toLocaleString()} ${noun}${number === 1 ? "" : "s"}`;
}

// --- what this browser keeps; nothing, where it is set to keep nothing

function kept(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null;
  }
}

function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, value);
  } catch {
    // It lasts as long as the page.
  }
}

// --- links

const URL_IN_TEXT = /\bhttps?:\/\/[^\s<>"'`\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]+/g;

function webAddress(text) {
  try {
    const address = new URL(stringOrEmpty(text));
    return ["http:", "https:"].includes(address.protocol) ? address.href : "";
  } catch {
    return "";
  }
}

function link(address, label) {
  const anchor = document.createElement("a");
  anchor.href = address;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer";
  anchor.textContent = replaceControls(label);
  return anchor;
}

// Sets the text of an element, with its web addresses as links.
function fillWithLinks(element, text) {
  const parts = [];
  let end = 0;
  for (const found of text.matchAll(URL_IN_TEXT)) {
    let length = found[0].length;
    while (".,;:!?)]}".includes(found[0][length - 1])) length -= 1; // the end of a sentence, not of the address
    const shown = found[0].slice(0, length);
    const address = webAddress(shown);
    if (!address) continue;
    parts.push(replaceControls(text.slice(end, found.index)), link(address, shown));
    end = found.index + shown.length;
  }
  element.replaceChildren(...parts, replaceControls(text.slice(end)));
}

// --- times

const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });
const date = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const midnight = (time) => new Date(time.getFullYear(), time.getMonth(), time.getDate());
const daysAgo = (time) => Math.round((midnight(new Date()) - midnight(time)) / 86_400_000);

function age(time) {
  const minutes = Math.floor((Date.now() - time) / 60_000);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes} min ago`;
  return `${Math.floor(minutes / 60)} h ago`;
}

function relative(time) {
  return Date.now() - time < 6 * 3_600_000 ? age(time) : clock.format(time);
}

function dayName(time) {
  return ["Today", "Yesterday"][daysAgo(time)] ?? date.format(time);
}
