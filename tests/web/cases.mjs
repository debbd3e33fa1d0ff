/*
 * The cases. They share one page, in this order, because each start of the machine takes seconds. A case that needs a
 * page of its own opens it.
 */
import assert from "node:assert/strict";
import path from "node:path";
import { openBrowser, openPage, ready, serve, terminalText, TOP } from "./page.mjs";

const SECONDS = 10; /* from the page's start to the prompt */
const BYTES = 12e6; /* of all that is transferred */
const STEP_TIME = 45000; /* ms, for a step of the tour */

const words = process.argv.slice(2);
const folder = words[0] === "--folder" ? words.splice(0, 2)[1] : path.join(TOP, "build/web");
const pattern = words[0] ?? "";

const server = await serve(folder);
const browser = await openBrowser();
let opened = null; /* the shared page */

/* Goes to a step of the tour, types its command, and waits until the page says that it is done. */
async function takeStep(number, meanwhile = async () => {}) {
	const { page } = opened;
	await page.getByRole("button", { name: `Step ${number}:` }).click();
	await page.getByRole("button", { name: "Type it" }).click();
	await meanwhile(page);
	await page.waitForFunction(() => document.getElementById("step-done").textContent !== "", null, { timeout: STEP_TIME });
}

/* Returns the rings on the screen in the words of /proc/pipes. */
function shownRings(page) {
	return page.evaluate(() =>
		[...document.querySelectorAll(".pipe svg")].flatMap((ring) => {
			const [, number, used, places] = ring.getAttribute("aria-label").match(/^Pipe (\d+): (\d+) of (\d+) slots/);
			const slots = [...ring.querySelectorAll(".slot")].map((slot) => slot.getAttribute("aria-label"));
			const [readers, writers] = [/(\d+) reader/, /(\d+) writer/].map((word) => ring.parentElement.textContent.match(word)[1]);
			return [`pipe ${number}: ${used} of ${places} slots, ${readers} readers, ${writers} writers`, ...slots];
		}),
	);
}

/* Returns what /proc/pipes says, in the same form. The guest writes it to the terminal, between two marks. */
async function guestPipes(page) {
	const mark = `mark ${Math.random()}`;
	await page.evaluate((mark) => sluice.machine.command(`(echo; echo ${mark}; cat /proc/pipes; echo ${mark}) >/dev/ttyS0`), mark);
	await page.waitForFunction((mark) => sluice.terminal.text().split(mark).length === 3, mark, { timeout: 20000 });
	const lines = (await terminalText(page)).split(mark)[1].trim().split("\n");
	let place = 0, places = 1;
	return lines.map((line) => {
		const pipe = line.match(/^(pipe \d+: \d+ of (\d+) slots), first at (\d+)(.*)$/);
		if (pipe) {
			[places, place] = [Number(pipe[2]), Number(pipe[3])];
			return pipe[1] + pipe[4];
		}
		const [, kind, length, state] = line.match(/^ +(\w+) page \w+ offset \d+ length (\d+) (.*)$/);
		return `Place ${place++ % places}: ${kind}, ${length} bytes, ${state}`;
	});
}

async function agree(page) {
	assert.deepEqual(await shownRings(page), await guestPipes(page));
}

async function waitForSlots(page, state, count) {
	const all = ([state, count]) =>
		[...document.querySelectorAll(".slot")].filter((slot) => slot.getAttribute("aria-label").endsWith(state)).length === count;
	await page.waitForFunction(all, [state, count], { timeout: STEP_TIME });
}

const cases = {
	async "the prompt comes in time, and not much is transferred"() {
		assert.ok(opened.seconds <= SECONDS, `it took ${opened.seconds} s`);
		assert.ok(opened.bytes > 1e6 && opened.bytes <= BYTES, `${opened.bytes} bytes`);
	},
	async "tour 1: a pipe fills, and its writer sleeps"() {
		await takeStep(1);
		assert.equal(await opened.page.locator(".slot.kind-anon").count(), 16);
		assert.match(await opened.page.locator(".pipe p").textContent(), /1 writer, asleep: yes/);
		await agree(opened.page);
	},
	async "screen reader: the live region tells of a full pipe"() {
		const { page } = opened;
		if ((await page.locator(".slot").count()) !== 16)
			await takeStep(1);
		await page.waitForFunction(() => /^Pipe \d+: 16 of 16 slots, 65536 bytes\.$/.test(document.getElementById("rings-said").textContent), null, { timeout: 20000 });
	},
	async "slot: the arrow keys and Enter tell page, length and holders"() {
		const { page } = opened;
		if ((await page.locator(".slot").count()) !== 16)
			await takeStep(1);
		await page.locator('.slot[tabindex="0"]').focus();
		await page.keyboard.press("ArrowRight");
		await page.keyboard.press("Enter");
		const text = await page.locator("#detail").textContent();
		assert.match(text, /place 1Kindanon.*Bytes arehere.*Page[0-9a-f]+.*Offset0.*Length4096 bytes.*1 reference.*Begins withy\\ny\\n/);
	},
	async "tour 2: a small write merges"() {
		await takeStep(2);
		assert.equal(await opened.page.locator(".slot").getAttribute("aria-label"), "Place 0: anon, 8 bytes, here");
	},
	async "tour 3: tee shares a page"() {
		await takeStep(3);
		await agree(opened.page);
		await opened.page.locator(".slot").first().click();
		assert.match(await opened.page.locator("#detail").textContent(), /2 references.*also in pipe/);
	},
	async "tour 4: slots of a cold splice are dashed until the gate opens"() {
		await takeStep(4, async (page) => {
			await waitForSlots(page, "on its way", 16);
			assert.equal(await page.locator(".slot.way").count(), 16);
			await agree(page);
			const gate = page.getByRole("switch");
			assert.equal(await gate.getAttribute("aria-checked"), "false");
			assert.equal(await page.locator("#step-done").textContent(), "");
			await gate.click();
			await waitForSlots(page, "here", 16);
		});
		assert.equal(await opened.page.locator(".slot.way").count(), 0);
	},
	async "gate: the switch closes it, too"() {
		const gate = opened.page.getByRole("switch");
		for (const word of ["closed", "open"]) {
			await gate.press("Enter");
			await opened.page.waitForFunction((word) => document.getElementById("gate-state").textContent === word, word, { timeout: 20000 });
		}
	},
	async "tour 5: the pipe has the bytes of before the change"() {
		await takeStep(5);
		assert.match(await terminalText(opened.page), /\nnew\nold\n/);
	},
	async "tour 6: slots of device memory"() {
		await takeStep(6);
		await waitForSlots(opened.page, "here", 16);
		assert.equal(await opened.page.locator(".slot.kind-mmio").count(), 16);
		await agree(opened.page);
	},
	async "keyboard: Tab reaches every control, and Shift+Tab leaves the terminal"() {
		const { page } = opened;
		const wanted = await page.evaluate(() => {
			const controls = [...document.querySelectorAll("button, a, textarea, .slot[tabindex='0']")];
			return controls.filter((control) => !control.disabled).map((control, i) => (control.dataset.reached = String(i)));
		});
		await page.evaluate(() => {
			document.body.tabIndex = -1;
			document.body.focus();
			document.body.removeAttribute("tabindex");
		});
		const reached = new Set();
		for (let i = 0; i < wanted.length; i++) {
			if (await page.evaluate(() => document.activeElement.tagName === "TEXTAREA"))
				break; /* here Tab is a key of the guest's */
			await page.keyboard.press("Tab");
			reached.add(await page.evaluate(() => document.activeElement.dataset.reached));
		}
		assert.ok(await page.evaluate(() => document.activeElement.tagName === "TEXTAREA"), "the terminal is not reached");
		await page.keyboard.press("Shift+Tab");
		assert.ok(await page.evaluate(() => document.activeElement.tagName !== "TEXTAREA"), "the terminal is a trap");
		/* The links stand behind the terminal. */
		await page.locator("footer a").first().focus();
		const links = await page.locator("footer a").evaluateAll((all) => all.map((link) => link.dataset.reached));
		assert.deepEqual(wanted.filter((each) => !reached.has(each)), links);
	},
	async "narrow and dark: 360 px need no horizontal scrolling"() {
		const { page } = opened;
		await page.setViewportSize({ width: 360, height: 740 });
		await page.emulateMedia({ colorScheme: "dark" });
		await page.waitForTimeout(500);
		assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
		const colours = await page.evaluate(() => {
			const style = getComputedStyle(document.body);
			const light = (colour) => colour.match(/\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3;
			return { paper: light(style.backgroundColor), ink: light(style.color) };
		});
		assert.ok(colours.paper < 60 && colours.ink > 180, JSON.stringify(colours));
	},
	async "without a browser's part, a sentence says which"() {
		const context = await browser.newContext();
		const page = await context.newPage();
		await page.addInitScript(() => delete globalThis.DecompressionStream);
		await page.goto(server.address);
		await page.waitForFunction(() => /has no DecompressionStream\.$/.test(document.getElementById("status").textContent), null, { timeout: 20000 });
		await context.close();
	},
	async "another build: a sentence says that layout.json does not belong to the kernel"() {
		const context = await browser.newContext();
		const page = await context.newPage();
		await page.route("**/layout.json", async (route) => {
			const response = await route.fetch();
			const layout = await response.json();
			layout.code.checksum ^= 1;
			await route.fulfill({ response, json: layout });
		});
		await page.goto(server.address);
		await ready(page);
		assert.match(await page.locator("#status").textContent(), /layout\.json belongs to another build/);
		assert.ok(await page.getByRole("switch").isDisabled());
		await context.close();
	},
	async "exit: the page says that the machine has halted"() {
		const { page } = opened;
		await page.evaluate(() => sluice.machine.type("\x03"));
		await page.waitForTimeout(500);
		await page.evaluate(() => sluice.machine.type("exit\n"));
		await page.waitForFunction(() => /has halted/.test(document.getElementById("status").textContent), null, { timeout: 20000 });
		assert.ok(await page.locator("#type-it").isDisabled());
	},
	async "console: there were no errors"() {
		assert.deepEqual(opened.errors, []);
	},
	async "offline: the page starts again without its server"() {
		const { page } = opened;
		const copied = async () => (await navigator.serviceWorker.ready).active?.state === "activated";
		await page.waitForFunction(copied, null, { timeout: 20000 });
		server.stop();
		await page.reload();
		await ready(page);
	},
};

const names = Object.keys(cases).filter((name) => name.includes(pattern));
console.log(`1..${names.length}`);
let failed = 0;
try {
	opened = await openPage(browser, server.address, { viewport: { width: 1280, height: 900 } });
} catch (error) {
	console.log(`# the page does not start: ${error.message}`);
}
for (const [i, name] of names.entries()) {
	try {
		assert.ok(opened, "the page has not started");
		await cases[name]();
		console.log(`ok ${i + 1} - ${name}`);
	} catch (error) {
		failed++;
		console.log(`not ok ${i + 1} - ${name}`);
		console.log(String(error.message ?? error).trim().replace(/^/gm, "# "));
	}
}
await browser.close();
server.stop();
process.exit(failed ? 1 : 0);
