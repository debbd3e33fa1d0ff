/*
 * The guided tour: one step at a time, with buttons for each step, the previous and the next one.
 * A command is typed into the terminal for the user, after ^C, which ends the command of the step before.
 */
import { STEPS } from "./steps.js";

const AFTER_INTERRUPT = 400; /* ms until the shell's prompt is back */

export class Tour {
	/* `page` has the elements by id. `say` announces a sentence. */
	constructor(page, say) {
		this.page = page;
		this.say = say;
		this.at = 0;
		this.printed = null; /* since the command was typed; null: no command waits for its end */
		STEPS.forEach((step, i) => this.addButton(step, i));
		page["previous"].addEventListener("click", () => this.go(this.at - 1));
		page["next"].addEventListener("click", () => this.go(this.at + 1));
		page["type-it"].addEventListener("click", () => this.type());
		this.go(0);
	}

	/* From now on there is a machine to type into. */
	start(machine) {
		this.machine = machine;
		this.page["type-it"].disabled = false;
	}

	/* The machine has stopped. */
	stop() {
		this.printed = null;
		this.page["type-it"].disabled = true;
	}

	addButton(step, i) {
		const item = document.createElement("li");
		const button = document.createElement("button");
		button.type = "button";
		button.textContent = String(i + 1);
		button.setAttribute("aria-label", `Step ${i + 1}: ${step.title}`);
		button.addEventListener("click", () => this.go(i));
		item.append(button);
		this.page["steps"].append(item);
	}

	buttons() {
		return [...this.page["steps"].querySelectorAll("button")];
	}

	go(at) {
		const step = STEPS[at];
		this.at = at;
		this.printed = null;
		this.page["step-title"].textContent = `${at + 1}. ${step.title}`;
		this.page["step-text"].textContent = step.text;
		this.page["step-command"].textContent = step.command;
		this.page["step-done"].textContent = "";
		this.page["previous"].disabled = at === 0;
		this.page["next"].disabled = at === STEPS.length - 1;
		this.buttons().forEach((button, i) => {
			if (i === at)
				button.setAttribute("aria-current", "step");
			else
				button.removeAttribute("aria-current");
		});
	}

	type() {
		const { command } = STEPS[this.at];
		this.page["step-done"].textContent = "";
		this.printed = null;
		this.machine.type("\x03");
		setTimeout(() => {
			this.printed = "";
			this.machine.type(command + "\n");
		}, AFTER_INTERRUPT);
	}

	/* The guest has printed these bytes. */
	output(bytes) {
		if (this.printed !== null)
			this.printed += String.fromCharCode(...bytes);
	}

	/* The pipes are like this now. */
	look(pipes) {
		const step = STEPS[this.at];
		if (this.printed === null || !step.done(pipes, this.printed))
			return;
		this.printed = null;
		this.page["step-done"].textContent = "✓ " + step.happened;
		this.buttons()[this.at].classList.add("done");
		this.say(`Step ${this.at + 1} is done. ${step.happened}`);
	}
}
