// --- keyboard

function select(card) {
  card.article.focus({ preventScroll: true });
  card.article.scrollIntoView({ block: "nearest", behavior: "auto" });
}

// The cards of the list, or the workspaces of the fleet.
function shownCards() {
  return filters.view === "fleet" ? visibleWorkspaces() : visibleCards();
}

function selected() {
  const root = document.activeElement?.closest?.("#days li, #fleet li");
  return root ? shownCards().find((card) => card.root === root) : undefined;
}

function move(step) {
  const shown = shownCards();
  const index = shown.indexOf(selected());
  const target = shown[index < 0 ? 0 : index + step];
  if (target) select(target);
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  "/": () => byId("search").focus(),
  "?": () => byId("help").showModal(),
  z: undo,
  f: () => setFilter("view", "fleet"),
  i: () => setFilter("view", "inbox"),
};
const KEYS_OF_CARD = {
  Enter: (card) => card.toggle(),
  e: (card) => act(toggled("archive", card.item), card.stack),
  u: (card) => act(toggled("unread", card.item), card.stack),
  "#": (card) => act("delete", card.stack),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest("input, textarea")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "Enter" && event.target.closest("button, a")) return;
  const card = selected();
  const isWorkspace = card instanceof WorkspaceRow && event.key !== "Enter";
  const action = KEYS[event.key] ?? (card && !isWorkspace ? KEYS_OF_CARD[event.key] : undefined);
  if (!action) return;
  event.preventDefault();
  action(card);
});
