// --- what a person does with notifications

const OPPOSITES = { read: "unread", unread: "read", archive: "unarchive", unarchive: "archive", delete: "restore" };
const DONE = { archive: "Archived", unarchive: "Back in the inbox", delete: "Deleted", unread: "Marked as unread", read: "Marked as read" };
const MOST_CHANGED = 1000; // at once: the relay takes no more
let lastChange = null; // {action, revision}
let toastTimer = 0;

// Applies an action at once, and takes it back if the relay refuses.
async function act(action, cardsChosen) {
  const chosen = cardsChosen.slice(0, MOST_CHANGED);
  const before = chosen.map((card) => ({ ...card.item }));
  for (const card of chosen) applyLocally(card, action);
  try {
    const applied = await change(action, { seqs: chosen.map((card) => card.item.seq) });
    if (applied.changed > 0 && action !== "read") offerUndo(action, applied.revision, chosen.length);
  } catch (error) {
    for (const [index, card] of chosen.entries()) Object.assign(card.item, before[index]);
    reportFailure(error);
    reload({ keepsPlace: true });
  }
  refreshSoon();
}

function applyLocally(card, action) {
  const { item } = card;
  if (action === "read" || action === "unread") item.read = action === "read";
  if (action === "archive" || action === "unarchive") item.archived = action === "archive";
  card.update();
  if (card.stack[0] !== card) card.stack[0].update();
  const leaves = action === "delete" || item.archived !== (filters.view === "archive");
  if (leaves) removeAndFocusNext(card);
}

function removeAndFocusNext(card) {
  const hasFocus = card.root.contains(document.activeElement);
  const shown = visibleCards();
  const following = shown[shown.indexOf(card) + 1] ?? shown[shown.indexOf(card) - 1];
  remove(card);
  if (hasFocus && following) setTimeout(() => select(following));
}

async function readAll() {
  const newest = ordered[0]?.item.seq;
  if (newest === undefined) return;
  try {
    // With filters, it means what they show and nothing else.
    const shown = ordered.filter(({ item }) => !item.read && item.seq <= newest);
    const seqs = shown.slice(0, MOST_CHANGED).map(({ item }) => item.seq);
    const applied = await change("read", isFiltered() ? { seqs } : { up_to: newest });
    for (const card of shown) applyLocally(card, "read");
    if (applied.changed > 0) offerUndo("read", applied.revision, applied.changed);
  } catch (error) {
    reportFailure(error);
  }
  refreshSoon();
}

async function undo() {
  if (lastChange === null) return;
  const { action, revision } = lastChange;
  lastChange = null;
  byId("toast").hidden = true;
  try {
    const applied = await change(OPPOSITES[action], { revision });
    if (applied.changed === 0) showToast("It is too late to undo this");
    else reload({ keepsPlace: true });
  } catch (error) {
    reportFailure(error);
  }
}

function offerUndo(action, revision, number) {
  lastChange = { action, revision };
  showToast(number > 1 ? `${DONE[action]}: ${count(number, "notification")}` : DONE[action], true);
}

function showToast(text, canUndo = false) {
  byId("toast-text").textContent = text;
  byId("undo").hidden = !canUndo;
  byId("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { byId("toast").hidden = true; }, canUndo ? 10_000 : 4_000);
}

function reportFailure(error) {
  if (error instanceof KeyError) showWrongKey();
  else showToast(`Not done: ${error.message || "the relay cannot be reached"}`);
}
