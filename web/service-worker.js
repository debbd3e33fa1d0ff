/*
 * Keeps a copy of every file of the page, so that the page works without a network after its first load.
 *
 * The network comes first, so a new build is seen at once. If there is no network, the copies are used.
 */
const COPIES = "sluice";

addEventListener("install", (event) => event.waitUntil(copyAll()));
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => event.respondWith(answer(event.request)));

async function copyAll() {
	const files = await (await fetch("files.json")).json();
	const copies = await caches.open(COPIES);
	await copies.addAll(["./", "files.json", ...files]);
	await skipWaiting();
}

async function answer(request) {
	const copies = await caches.open(COPIES);
	try {
		const response = await fetch(request);
		if (response.ok && request.method === "GET")
			await copies.put(request, response.clone());
		return response;
	} catch (error) {
		const copy = await copies.match(request, { ignoreSearch: true });
		if (copy)
			return copy;
		throw error;
	}
}
