// --- settings of this browser

function applyTheme() {
  const theme = kept("theme") ?? "auto";
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const chosen = document.querySelector(`[name="theme"][value="${CSS.escape(theme)}"]`);
  if (chosen) chosen.checked = true;
}

byId("theme").addEventListener("change", (event) => {
  keep("theme", event.target.value);
  applyTheme();
});
byId("open-settings").addEventListener("click", () => byId("settings").showModal());
byId("open-help").addEventListener("click", () => {
  byId("settings").close();
  byId("help").showModal();
});
applyTheme();

// --- installed as an app, the page opens offline with what it had

byId("manifest").href = `/inbox/manifest.webmanifest?${new URLSearchParams({ key })}`;
if ("serviceWorker" in navigator) {
  navigator.serviceWorker.register(`/inbox/worker.js?${new URLSearchParams({ key })}`, { scope: "/inbox" }).catch(() => {});
}
