"use strict";

// Answers from the network; where that fails, from what was shown last. Shows pushes. The key of the
// inbox is in its own address.

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

// --- pushes

const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

self.addEventListener("push", (event) => {
  let message = {};
  try {
    message = event.data.json();
  } catch {
    // A browser demands that something is shown for each push.
  }
  event.waitUntil(show(message));
});

function show({ title, body, tag, url, seq, priority }) {
  return self.registration.showNotification((title || "New notification").replace(CONTROLS, "\ufffd"), {
    body: (body ?? "").replace(CONTROLS, "\ufffd"),
    tag: tag ?? "",
    icon: "/favicon.ico",
    silent: priority === "min" || priority === "low",
    requireInteraction: priority === "urgent",
    data: { url: url ?? "", seq: seq ?? 0 },
  });
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(open(event.notification.data));
});

// Opens the link of a notification, or the page at it: the one that is open, if there is one.
async function open({ url, seq }) {
  if (/^https?:\/\//.test(url)) return self.clients.openWindow(url);
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const page = windows.find((each) => new URL(each.url).pathname === "/inbox");
  if (!page) return self.clients.openWindow(`/inbox${self.location.search}#n${seq}`);
  page.postMessage({ seq });
  return page.focus();
}
