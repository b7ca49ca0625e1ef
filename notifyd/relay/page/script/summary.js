// --- what a card shows of a notification

const PRIORITIES = { urgent: "Urgent", high: "High", low: "Low", min: "Min" };
const OUTCOMES = {
  failure: { sign: "✕", word: "Failed", tone: "bad" },
  critical: { sign: "!", word: "Critical", tone: "bad" },
  warning: { sign: "!", word: "Warning", tone: "warn" },
  unknown: { sign: "?", word: "Unknown", tone: "warn" },
  success: { sign: "✓", word: "Done", tone: "good" },
  recovered: { sign: "✓", word: "Recovered", tone: "good" },
};
const EXCEPTION = /^\s*(?:[\w$]+\.)*[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Panic|Warning)\b.*$|^\s*(?:panic|fatal|thread '.*' panicked|Caused by)\b.*$/i;
const LOG_LINE = /^\s*(?:at |File "|\d{4}-\d\d-\d\d|\[?\d\d:\d\d|[A-Z]{4,8}\b[:\s]|\||>|\$|#|E {2,})|^ {2,}\S|\t/;

function sourceOf(item) {
  return item.source || item.token || item.workspace_id;
}

// The title without what the card says beside it: its source and its count.
function shortTitle(item) {
  let title = stringOrEmpty(item.title).trim();
  const prefix = `${sourceOf(item)}: `;
  if (title.startsWith(prefix)) title = title.slice(prefix.length);
  return title === sourceOf(item) || /^\d+ ×$/.test(title) ? "" : title;
}

function countOf(item) {
  const value = item.data.count;
  const number = typeof value === "number" ? value : Number(stringOrEmpty(value));
  return Number.isSafeInteger(number) ? number : 1;
}

// Returns {title, lead, body, isLog}. lead: what stands under the title of a closed card.
function summarize(item) {
  const body = stringOrEmpty(item.body).replace(/^\n+/, "").trimEnd();
  const lines = body.split("\n");
  const isLog = lines.length > 1 && lines.filter((line) => LOG_LINE.test(line)).length * 2 >= lines.length;
  const failed = isLog ? lines.findLast((line) => EXCEPTION.test(line))?.trim() ?? "" : "";
  const title = shortTitle(item);
  if (title) return { title, lead: failed || body, body, isLog };
  const first = failed || lines[0];
  return { title: first, lead: isLog ? "" : lines.slice(1).join("\n"), body: lines.length > 1 ? body : "", isLog };
}

// Repeats that follow each other stand in one stack.
function stackKey(item) {
  if (item.question !== null) return `#${item.seq}`;
  return [item.workspace_id, sourceOf(item), item.outcome, summarize(item).title].join("\n");
}

function hue(name) {
  let sum = 0;
  for (const character of name) sum = (sum * 31 + character.codePointAt(0)) % 360;
  return sum;
}
