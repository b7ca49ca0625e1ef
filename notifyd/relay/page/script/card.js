// --- one card

const HIDDEN_DETAILS = new Set(["trigger", "priority", "count", "outcome", "url", "actions", "workspace_id"]);

const MOST_LINKS = 5;

class Card {
  constructor(item) {
    this.item = item;
    this.root = byId("card").content.firstElementChild.cloneNode(true);
    this.article = this.root.querySelector("article");
    this.at = new Date(item.received_at);
    this.day = String(midnight(this.at).getTime());
    this.stackKey = stackKey(item);
    this.stack = [this]; // with the repeats that it stands for
    this.isOpen = false;
    this.#fill();
    this.update();
  }

  #fill() {
    const { item, root } = this;
    const source = sourceOf(item);
    const text = summarize(item);
    const outcome = Object.hasOwn(OUTCOMES, item.outcome) ? OUTCOMES[item.outcome] : undefined;
    this.text = text;
    this.article.dataset.priority = item.priority;
    const tile = fill(root, ".tile", item.question ? "?" : outcome?.sign ?? [...source][0].toUpperCase());
    if (outcome) {
      this.article.dataset.tone = outcome.tone;
      tile.setAttribute("role", "img");
      tile.setAttribute("aria-label", outcome.word);
      tile.title = outcome.word;
    } else {
      tile.setAttribute("aria-hidden", "true");
      tile.style.setProperty("--hue", hue(source));
    }
    fill(root, ".source", source);
    const times = countOf(item);
    const isSaid = new RegExp(`(^|\\D)${times} ?×`).test(text.title);
    fill(root, ".times", times > 1 && !isSaid ? `× ${times.toLocaleString()}` : "");
    fill(root, ".chip", Object.hasOwn(PRIORITIES, item.priority) ? PRIORITIES[item.priority] : "");
    const time = fill(root, "time", relative(this.at));
    time.dateTime = item.received_at;
    time.title = exact.format(this.at);
    const title = fill(root, ".title", text.title);
    const address = webAddress(item.data.url);
    if (address && text.title) title.replaceChildren(link(address, text.title));
    this.#fillLead();
    this.#fillLinks();
    root.querySelector(".open").addEventListener("click", () => this.toggle());
    this.article.addEventListener("click", (event) => {
      if (!event.target.closest("a, button, pre, dl") && String(getSelection()) === "") this.toggle();
    });
  }

  #fillLead() {
    const lead = fill(this.root, ".text", this.text.lead);
    fillWithLinks(lead, this.text.lead);
    lead.classList.toggle("log", this.text.isLog);
  }

  #fillLinks() {
    const given = Array.isArray(this.item.data.actions) ? this.item.data.actions : [];
    const links = given
      .map((action) => [webAddress(action?.url), stringOrEmpty(action?.label)])
      .filter(([address, label]) => address && label)
      .slice(0, MOST_LINKS)
      .map(([address, label]) => link(address, label));
    const place = this.root.querySelector(".links");
    place.replaceChildren(...links);
    place.hidden = links.length === 0;
  }

  // Takes over what was done with the notification elsewhere.
  follow({ read, archived, question, undelivered }) {
    Object.assign(this.item, { read, archived, question, undelivered });
    this.update();
    if (this.stack[0] !== this) this.stack[0].update();
  }

  setStack(stack) {
    if (stack.length === this.stack.length && stack.every((card, index) => card === this.stack[index])) return;
    this.stack = stack;
    this.update();
  }

  // Shows what has changed: read, answered, its age.
  update() {
    this.article.classList.toggle("unread", this.stack.some(({ item }) => !item.read));
    this.root.querySelector("time").textContent = relative(this.at);
    const failures = (this.item.undelivered ?? []).map(({ device, reason }) => `Not delivered to ${device}: ${reason}`);
    fill(this.root, ".undelivered", failures.join("\n"));
    const { workspace_id: workspace } = this.item;
    fill(this.root, ".workspace", workspaces.size > 1 && workspace !== sourceOf(this.item) ? workspace : "");
    if (this.item.question) this.#showQuestion();
    const unread = this.root.querySelector('[data-action="unread"]');
    if (unread) unread.textContent = this.item.read ? "Mark as unread" : "Mark as read";
    const archive = this.root.querySelector('[data-action="archive"]');
    if (archive) archive.textContent = this.item.archived ? "Back to the inbox" : "Archive";
  }

  #showQuestion() {
    const { question } = this.item;
    const place = this.root.querySelector(".question");
    const isOver = Date.now() >= Date.parse(question.expires_at);
    const isOpen = question.answer === null && question.withdrawn_at === null && !isOver;
    place.hidden = false;
    fill(place, ".result", isOpen ? "" : endOf(question));
    const options = place.querySelector(".options");
    options.hidden = !isOpen;
    if (!isOpen || options.childElementCount > 0) return;
    for (const option of question.options) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = replaceControls(option);
      button.addEventListener("click", () => this.#answer(option, options));
      options.append(button);
    }
  }

  async #answer(option, options) {
    for (const button of options.children) button.disabled = true;
    try {
      this.item.question = await answerQuestion(this.item, option);
      this.item.read = true;
    } catch (error) {
      for (const button of options.children) button.disabled = false;
      showToast(`Not answered: ${error.message || "the relay cannot be reached"}`);
    }
    this.update();
  }

  toggle() {
    this.isOpen = !this.isOpen;
    const whole = this.root.querySelector(".whole");
    if (this.isOpen && whole.childElementCount === 0) this.#fillWhole(whole);
    whole.hidden = !this.isOpen;
    this.root.querySelector(".text").hidden = (this.isOpen && this.text.isLog) || this.text.lead === "";
    const open = this.root.querySelector(".open");
    open.setAttribute("aria-expanded", String(this.isOpen));
    open.setAttribute("aria-label", this.isOpen ? "Show less" : "Show all");
    this.article.classList.toggle("is-open", this.isOpen);
    const unread = this.stack.filter(({ item: { read } }) => !read);
    if (this.isOpen && unread.length > 0) act("read", unread);
  }

  #fillWhole(whole) {
    const { item, text } = this;
    whole.append(byId("whole").content.cloneNode(true));
    if (text.isLog) {
      const body = document.createElement("pre");
      body.className = "body";
      body.dir = "auto";
      fillWithLinks(body, text.body);
      whole.prepend(body);
    }
    const list = whole.querySelector("dl");
    addDetail(list, "received", exact.format(this.at));
    addDetail(list, "workspace", item.workspace_id);
    if (item.token !== null && item.token !== sourceOf(item)) addDetail(list, "token", item.token);
    for (const [name, value] of Object.entries(item.data)) {
      if (!HIDDEN_DETAILS.has(name)) addDetail(list, name, formatValue(value));
    }
    for (const button of whole.querySelectorAll("[data-action]")) {
      button.addEventListener("click", () => this.#press(button.dataset.action));
    }
    this.update();
  }

  #press(action) {
    if (action === "copy") {
      copyText([this.item.title, this.item.body].filter(Boolean).join("\n"));
    } else {
      act(toggled(action, this.item), this.stack);
    }
  }
}

function toggled(action, item) {
  if (action === "unread" || action === "read") return item.read ? "unread" : "read";
  if (action === "archive") return item.archived ? "unarchive" : "archive";
  return action;
}

function endOf(question) {
  if (question.answer !== null) return `Answered: ${question.answer}`;
  return question.withdrawn_at !== null ? "Withdrawn without an answer" : "Not answered in time";
}

function addDetail(list, name, value) {
  const term = document.createElement("dt");
  const description = document.createElement("dd");
  term.textContent = replaceControls(name);
  fillWithLinks(description, value);
  list.append(term, description);
}

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    showToast("Copied");
  } catch {
    showToast("This browser does not allow copying here");
  }
}
