/*
 * The page in a browser, for the tests and for the pictures of the book. It is served by tools/serve, and opened in
 * Debian's Chromium without a window.
 */
import { spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const TOP = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const { chromium } = createRequire(path.join(TOP, "build/deb/npm-tests/"))("playwright-core");

/* Serves a folder on a free port. Returns { address, stop() }. */
export async function serve(folder) {
	const server = spawn(path.join(TOP, "tools/serve"), [folder, "0"], { stdio: ["ignore", "pipe", "inherit"] });
	const line = await new Promise((resolve, reject) => {
		server.stdout.once("data", (data) => resolve(String(data)));
		server.once("exit", () => reject(new Error("tools/serve has ended")));
	});
	return { address: line.match(/http:\S+/)[0], stop: () => server.kill() };
}

export function openBrowser() {
	return chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu"] });
}

/*
 * Opens the page and waits until the machine is ready. `options` are those of a browser context. Returns
 * { context, page, errors, seconds, bytes }: errors are what the console complained about, seconds how long it took.
 * The time for which the host's scheduler let the page wait for a CPU is not counted.
 */
export async function openPage(browser, address, options = {}) {
	const context = await browser.newContext(options);
	const page = await context.newPage();
	const opened = { context, page, errors: [], bytes: 0 };
	page.on("console", (message) => message.type() === "error" && opened.errors.push(message.text()));
	page.on("pageerror", (error) => opened.errors.push(String(error)));
	page.on("response", async (response) => {
		opened.bytes += Number(response.headers()["content-length"] ?? 0);
	});
	const start = Date.now();
	await page.goto(address);
	await ready(page);
	opened.seconds = (Date.now() - start) / 1000 - secondsOfDelay();
	return opened;
}

/*
 * Returns how long the browser's page, a process that has just been started, was ready to run while all CPUs were busy with
 * others. Linux counts this for the main thread of each process, which runs the machine.
 */
function secondsOfDelay() {
	const delays = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map((pid) => {
		try {
			if (!readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("--type=renderer") || !descends(pid, String(process.pid)))
				return 0;
			return Number(readFileSync(`/proc/${pid}/schedstat`, "latin1").split(" ")[1]) / 1e9;
		} catch {
			return 0; /* the process has ended, or the host does not count */
		}
	});
	return Math.max(...delays);
}

function descends(pid, from) {
	while (pid !== "0" && pid !== from)
		pid = readFileSync(`/proc/${pid}/stat`, "latin1").match(/\) \S (\d+)/)[1];
	return pid === from;
}

/* Waits until the machine has its prompt. */
export function ready(page) {
	return page.waitForFunction(() => !document.getElementById("type-it").disabled, null, { timeout: 60000 });
}

/* Returns what the terminal shows. */
export function terminalText(page) {
	return page.evaluate(() => globalThis.sluice.terminal.text());
}
