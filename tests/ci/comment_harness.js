// Runs the script of actions/github-script with a client that answers from memory, and prints what it was asked to do.
// Standard input: the script, the event, the open pull requests and the comments there are.
const { script, event, pulls, comments } = JSON.parse(require("node:fs").readFileSync(0, "utf8"));
const done = { asked: {}, notices: [], created: [], updated: [] };
const github = {
  rest: {
    pulls: { list: async (query) => ((done.asked = query), { data: pulls }) },
    issues: {
      listComments: "listComments",
      createComment: async (comment) => done.created.push(comment),
      updateComment: async (comment) => done.updated.push(comment),
    },
  },
  paginate: async (method, query) => comments[query.issue_number] ?? [],
};
const context = { payload: event, repo: { owner: "us", repo: "news" } };
const core = { notice: (text) => done.notices.push(text) };
const AsyncFunction = (async () => {}).constructor;
new AsyncFunction("github", "context", "core", "require", script)(github, context, core, require).then(() =>
  console.log(JSON.stringify(done)),
);
