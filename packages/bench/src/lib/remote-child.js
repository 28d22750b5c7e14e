// The child's side of remote.js: runs the exports of one module on request.

const module = await import(process.argv[2]);
const state = {};

process.on("message", async ({ id, name, argument }) => {
  try {
    process.send({ id, value: await module[name](state, argument) });
  } catch (error) {
    process.send({ id, error: error.stack ?? String(error) });
  }
});
process.on("disconnect", () => process.exit());
