// --- the list

const days = byId("days");
const cards = new Map(); // by seq
const workspaces = new Set();
let ordered = []; // newest first
let next = null; // the number before which older ones begin; null if there are none
let isLoading = false;
let layoutIsDue = false;
const openStacks = new Set();

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
  cards.set(item.seq, card);
  ordered.unshift(card);
  scheduleLayout();
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

// Puts the cards into days and stacks. Cards stay as they are, so what is open stays open.
function layOut() {
  layoutIsDue = false;
  const focused = days.contains(document.activeElement) ? document.activeElement : null;
  const sections = [];
  let day = null;
  let stack = [];
  const closeStack = () => {
    if (stack.length > 0) day.querySelector("ol").append(...stackOf(stack));
    stack = [];
  };
  for (const card of ordered) {
    const start = String(midnight(card.at).getTime());
    if (day?.dataset.start !== start) {
      closeStack();
      day = byId("day").content.firstElementChild.cloneNode(true);
      day.dataset.start = start;
      day.querySelector("h2").textContent = dayName(card.at);
      sections.push(day);
    }
    if (stack.length > 0 && stackKey(stack[0].item) !== stackKey(card.item)) closeStack();
    stack.push(card);
  }
  closeStack();
  days.replaceChildren(...sections);
  focused?.focus({ preventScroll: true });
  showCounts();
}

function stackOf(stack) {
  const [first, ...rest] = stack;
  const id = stack.at(-1).item.seq;
  const isOpen = openStacks.has(id);
  const button = first.root.querySelector(".repeats");
  for (const card of rest) card.root.querySelector(".repeats").hidden = true;
  button.hidden = rest.length === 0;
  button.textContent = isOpen ? "Show as one" : `${count(rest.length, "earlier repeat")}`;
  button.onclick = () => {
    if (!openStacks.delete(id)) openStacks.add(id);
    layOut();
  };
  first.article.classList.toggle("stacked", rest.length > 0 && !isOpen);
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
