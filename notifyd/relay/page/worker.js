"use strict";

// Answers from the network; where that fails, from what was shown last.

const CACHE = "inbox-1";
const KEPT = ["/inbox", "/inbox/notifications", "/inbox/summary"];

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method !== "GET" || address.origin !== self.location.origin) return;
  const isFirstPage = !address.searchParams.has("before") && !address.searchParams.has("q");
  if (KEPT.includes(address.pathname) && isFirstPage) event.respondWith(answer(event.request));
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    else if (response.status === 403) await caches.delete(CACHE); // the key is no longer right
    return response;
  } catch (error) {
    const kept = await cache.match(request);
    if (kept) return kept;
    throw error;
  }
}
