"""The plugin that reports what opencode does, for opencode 1 and 2."""

import json

MARK = "// Written by `notifyd hook install opencode`."

_PLUGIN = """\
%(mark)s It reports questions, ends of turns and failures.
// Its default export has `server` for opencode 1 and `setup` for opencode 2.
import { spawn } from "node:child_process"

const COMMAND = %(command)s
const PASSED = new Set([
  "session.idle",
  "session.error",
  "session.deleted",
  "session.execution.started",
  "session.execution.succeeded",
  "session.execution.failed",
  "session.execution.interrupted",
  "permission.asked",
  "permission.replied",
  "permission.v2.asked",
  "permission.v2.replied",
  "question.asked",
  "question.replied",
  "question.rejected",
  "form.created",
  "form.replied",
  "form.cancelled",
])
// After these, session.idle says nothing new.
const ENDS = new Set([
  "session.error",
  "session.execution.succeeded",
  "session.execution.failed",
  "session.execution.interrupted",
])

function report(payload) {
  try {
    const child = spawn(COMMAND[0], COMMAND.slice(1), { stdio: ["pipe", "ignore", "ignore"] })
    child.on("error", () => {})
    child.stdin.on("error", () => {})
    child.stdin.end(JSON.stringify(payload))
    child.unref()
  } catch {
    // opencode works without notifyd
  }
}

function reporter(directory) {
  const subagents = new Set()
  const texts = new Map()
  const ended = new Set()
  return (event) => {
    const data = event?.properties ?? event?.data ?? {}
    const info = data.info ?? data
    const session = data.sessionID ?? info.sessionID
    if (event?.type === "session.created" && info.parentID) subagents.add(info.id ?? session)
    if (event?.type === "message.part.updated" && data.part?.type === "text") {
      texts.set(data.part.sessionID, data.part.text)
    }
    if (event?.type === "session.text.ended") texts.set(session, data.text)
    if (!PASSED.has(event?.type)) return
    const own = session ?? info.id
    if (event.type.startsWith("session.execution.")) ended.delete(own)
    if (event.type === "session.idle" && ended.delete(own)) return
    if (ENDS.has(event.type)) ended.add(own)
    report({
      type: event.type,
      properties: { ...data, info: undefined, sessionID: own },
      directory,
      subagent: subagents.has(own),
      text: texts.get(own),
    })
    if (event.type === "session.deleted") {
      texts.delete(own)
      subagents.delete(own)
    }
  }
}

export default {
  id: "notifyd",
  server: async ({ directory }) => {
    const pass = reporter(directory)
    return {
      event: async ({ event }) => pass(event),
      "chat.message": async (input) =>
        pass({ type: "session.execution.started", properties: { sessionID: input.sessionID } }),
    }
  },
  setup: async (context) => {
    const pass = reporter(context.location?.directory)
    const read = async () => {
      for await (const event of context.event.subscribe()) pass(event)
    }
    read().catch(() => {})
  },
}
"""


def plugin_text(program: str) -> str:
    """Return the text of the plugin. program: the path of notifyd."""
    return _PLUGIN % {"mark": MARK, "command": json.dumps([program, "hook", "opencode"])}


def plugin_program(text: str) -> str:
    """Return the path of the notifyd that a plugin runs; empty if it is not ours."""
    if not text.startswith(MARK):
        return ""
    line = next((each for each in text.splitlines() if each.startswith("const COMMAND = ")), "")
    try:
        return str(json.loads(line.partition("= ")[2])[0])
    except (ValueError, LookupError, TypeError):
        return ""
