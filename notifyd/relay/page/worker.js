"use strict";

// Answers from the network; where that fails, from what was shown last.

const CACHE = "inbox-2";
const KEPT = ["/inbox", "/inbox/notifications", "/inbox/summary"];
const UNFILTERED = ["key", "view", "period"];

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(takeOver()));

self.addEventListener("fetch", (event) => {
  const name = nameOf(event.request);
  if (name !== null) event.respondWith(answer(event, name));
});

async function takeOver() {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
  await self.clients.claim();
}

// Returns the address under which an answer is kept; null if it is not. Searches are not, nor what
// filters show: there is no end to them. The page itself is the same for all.
function nameOf(request) {
  const { origin, pathname, searchParams } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin || !KEPT.includes(pathname)) return null;
  const key = new URLSearchParams({ key: searchParams.get("key") ?? "" });
  if (pathname === "/inbox") return `${pathname}?${key}`;
  return [...searchParams.keys()].every((name) => UNFILTERED.includes(name)) ? request.url : null;
}

async function answer(event, name) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(event.request);
    if (response.ok) event.waitUntil(keep(cache, name, response.clone()).catch(() => {})); // it may be full
    else if (response.status === 403) event.waitUntil(forget(cache, (key) => key === keyOf(name)));
    return response;
  } catch (error) {
    const kept = await cache.match(name);
    if (kept) return kept;
    throw error;
  }
}

// What was kept with an earlier key is forgotten: the key was renewed to lock somebody out.
async function keep(cache, name, response) {
  await forget(cache, (key) => key !== keyOf(name));
  await cache.put(name, response);
}

async function forget(cache, isOver) {
  for (const { url } of await cache.keys()) if (isOver(keyOf(url))) await cache.delete(url);
}

function keyOf(name) {
  return new URL(name, self.location.origin).searchParams.get("key");
}
