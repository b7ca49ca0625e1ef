// --- what the page asks of the relay

const key = new URLSearchParams(location.search).get("key") ?? "";

class KeyError extends Error {}

async function ask(path, parameters = {}, body = undefined) {
  const query = new URLSearchParams({ key, ...parameters });
  const how = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
  const response = await fetch(`${path}?${query}`, how);
  if (response.status === 403) throw new KeyError();
  const answer = await response.json();
  if (!answer.success && answer.question === undefined) throw new Error(answer.error);
  return answer;
}

function listPage(filters, before, limit = 50) {
  const parameters = Object.fromEntries(Object.entries(filters).filter(([, value]) => value !== ""));
  if (before !== null) parameters.before = before;
  if (limit !== 50) parameters.limit = limit;
  return ask("/inbox/notifications", parameters);
}

function change(action, target) {
  return ask("/inbox/changes", {}, { action, ...target });
}

// since: only workspaces that changed at this time of the relay's clock or later.
function listFleet(since) {
  return ask("/inbox/fleet", { since });
}

function watchWorkspace(workspace, action, more) {
  return ask("/inbox/fleet", {}, { workspace_id: workspace, action, ...more });
}

// Resolves to the question as it is afterwards, whoever answered it first.
async function answerQuestion({ question, workspace_seq }, option) {
  const path = `/notifications/questions/${encodeURIComponent(question.key)}/answer`;
  const answer = await ask(path, {}, { workspace_id: question.workspace_id, workspace_seq, answer: option });
  return answer.question;
}
