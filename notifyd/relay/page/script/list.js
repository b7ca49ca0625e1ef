// --- the list

const days = byId("days");
const cards = new Map(); // by seq
const workspaces = new Set();
let ordered = []; // newest first
let next = null; // the number before which older ones begin; null if there are none
let isLoading = false;
let layoutIsDue = false;
const openStacks = new Set();
const MOST_CARDS = 500;

// Shows another list. A card that was shown before stays as it is: open, and focused.
function setItems(items) {
  const earlier = new Map(cards);
  cards.clear();
  ordered = [];
  append(items, earlier);
}

function append(items, earlier = new Map()) {
  for (const item of items) {
    if (cards.has(item.seq)) continue;
    workspaces.add(item.workspace_id);
    const card = earlier.get(item.seq) ?? new Card(item);
    if (earlier.has(item.seq)) card.follow(item);
    cards.set(item.seq, card);
    ordered.push(card);
  }
  layOut();
}

function prepend(item) {
  if (cards.has(item.seq)) return;
  workspaces.add(item.workspace_id);
  const card = new Card(item);
  card.article.classList.add("fresh");
  card.article.addEventListener("animationend", () => card.article.classList.remove("fresh"), { once: true });
  cards.set(item.seq, card);
  const index = ordered.findIndex((other) => other.item.seq < item.seq);
  ordered.splice(index < 0 ? ordered.length : index, 0, card);
  dropOldest();
  scheduleLayout();
}

// A page that is open for days drops the oldest; scrolling down reads them again.
function dropOldest() {
  const isReadingOlder = scrollY > 2 * innerHeight && ordered.length < 4 * MOST_CARDS;
  if (ordered.length <= MOST_CARDS || isReadingOlder) return;
  for (const card of ordered.splice(MOST_CARDS)) cards.delete(card.item.seq);
  next = ordered.at(-1).item.seq;
  byId("more").hidden = false;
}

function remove(card) {
  cards.delete(card.item.seq);
  ordered = ordered.filter((other) => other !== card);
  scheduleLayout();
}

function scheduleLayout() {
  if (layoutIsDue) return;
  layoutIsDue = true;
  setTimeout(layOut); // not with the next frame: a hidden page has none
}

// Puts the cards into days and stacks. What is in its place already is not touched: it would lose
// what is selected and scrolled in it.
function layOut() {
  layoutIsDue = false;
  const focused = days.contains(document.activeElement) ? document.activeElement : null;
  const earlier = new Map([...days.children].map((day) => [day.dataset.start, day]));
  const sections = runs(ordered, (card) => card.day).map((ofDay) => {
    const start = ofDay[0].day;
    const day = earlier.get(start) ?? newDay(start);
    earlier.delete(start);
    place(day.querySelector("ol"), runs(ofDay, (card) => card.stackKey).flatMap(stackOf));
    return day;
  });
  place(days, sections);
  if (focused && focused !== document.activeElement) focused.focus({ preventScroll: true });
  showCounts();
}

function newDay(start) {
  const day = byId("day").content.firstElementChild.cloneNode(true);
  day.dataset.start = start;
  day.querySelector("h2").textContent = dayName(new Date(Number(start)));
  return day;
}

// Splits a list where the key changes.
function runs(list, keyOf) {
  const found = [];
  for (const each of list) {
    if (found.length > 0 && keyOf(found.at(-1)[0]) === keyOf(each)) found.at(-1).push(each);
    else found.push([each]);
  }
  return found;
}

function place(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let at = parent.firstElementChild;
  for (const child of children) {
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
}

function stackOf(stack) {
  const [first, ...rest] = stack;
  const id = stack.at(-1).item.seq;
  const isOpen = openStacks.has(id);
  const button = first.root.querySelector(".repeats");
  for (const card of stack) card.setStack(isOpen ? [card] : stack);
  for (const card of rest) card.root.querySelector(".repeats").hidden = true;
  button.hidden = rest.length === 0;
  button.textContent = isOpen ? "Show as one" : `${count(rest.length, "earlier repeat")}`;
  button.onclick = () => {
    if (!openStacks.delete(id)) openStacks.add(id);
    layOut();
  };
  first.article.classList.toggle("stacked", rest.length > 0 && !isOpen);
  for (const card of rest) card.article.classList.remove("stacked");
  return isOpen ? stack.map((card) => card.root) : [first.root];
}

function visibleCards() {
  return ordered.filter((card) => card.root.isConnected);
}

function refreshTimes() {
  for (const card of ordered) card.update();
  for (const day of days.children) {
    day.querySelector("h2").textContent = dayName(new Date(Number(day.dataset.start)));
  }
}
