// --- the start

for (const element of document.querySelectorAll("[data-origin]")) element.textContent = location.origin;
for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", () => copyText(button.parentElement.querySelector("code").textContent));
}
for (const button of byId("views").querySelectorAll("[data-view]")) {
  button.addEventListener("click", () => setFilter("view", button.dataset.view));
}
byId("read-all").addEventListener("click", readAll);
byId("undo").addEventListener("click", undo);
byId("retry").addEventListener("click", () => reload({ keepsPlace: true }));
byId("open-filters").addEventListener("click", () => {
  const isOpen = byId("filters").classList.toggle("is-open");
  byId("open-filters").setAttribute("aria-expanded", String(isOpen));
});
byId("clear-filters").addEventListener("click", () => {
  for (const name of FILTERS) if (name !== "view") filters[name] = "";
  byId("search").value = "";
  setFilter("q", "");
});
byId("period").addEventListener("click", () => {
  period = period === "day" ? "month" : "day";
  refreshSoon();
});
let searchTimer = 0;
byId("search").value = filters.q;
byId("search").addEventListener("input", () => {
  clearTimeout(searchTimer);
  searchTimer = setTimeout(() => setFilter("q", byId("search").value.trim()), 200);
});
setInterval(() => {
  refreshTimes();
  refreshFleetTimes();
  if (filters.view === "fleet") refreshFleetSoon();
  showOffline();
}, 20_000);
window.addEventListener("online", () => reload({ keepsPlace: true }));
showFilters();
reload().then(revealFromAddress);
loadPush().catch(() => {}); // the settings try again
