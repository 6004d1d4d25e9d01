/** Runs spec files one after the other: Jest's own framework (jest-circus) over a runtime that loads as Node does. */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { loadFresh } from './fresh-modules.mjs';
import { keepConsole } from './kept-console.mjs';
import { keepGlobals } from './kept-globals.mjs';

const require = createRequire(import.meta.url);

// Jest is gone: nobody is left to tell, and nothing that these files started may stay.
process.once('disconnect', () => process.kill(-process.pid, 'SIGKILL'));

process.on('message', async (message) => {
  if (message === 'end') process.exit(0);
  const answer = await runSpec(message).then(
    (result) => ({ result }),
    (error) => ({ error: { message: String(error?.message ?? error), stack: String(error?.stack ?? error) } }),
  );
  process.send(answer);
});

async function runSpec({ path, globalConfig, config }) {
  Error.stackTraceLimit = 100;
  const restore = keepGlobals();
  const messages = keepConsole();
  const start = Date.now();
  try {
    loadFresh(path);
    const result = await framework(config)(globalConfig, config, { global: globalThis }, runtime, path);
    const end = Date.now();
    return {
      ...result,
      // What was compared may hold functions, which no other process can be sent; reports are made of the messages.
      testResults: result.testResults.map((one) => ({ ...one, failureDetails: [] })),
      testFilePath: path,
      skipped: result.testResults.every(({ status }) => status === 'pending'),
      console: messages.length > 0 ? messages : undefined,
      perfStats: {
        ...result.perfStats,
        start,
        end,
        runtime: end - start,
        slow: end - start > config.slowTestThreshold * 1000,
      },
    };
  } finally {
    restore();
  }
}

/** Jest's framework without the cases of the file before. */
function framework({ testRunner }) {
  for (const key of Object.keys(require.cache)) if (key.includes('/jest-circus/')) delete require.cache[key];
  return require(testRunner).default;
}

/** The little that the framework asks of Jest's runtime. */
const runtime = {
  requireInternalModule: require,
  requireModule: require,
  setGlobalsForRuntime: (globals) => Reflect.set(globalThis, Symbol.for('outrider.spec-globals'), globals),
  unstable_shouldLoadAsEsm: () => true,
  unstable_importModule: (path) => import(pathToFileURL(path).href),
  enterTestCode: () => {},
  leaveTestCode: () => {},
};
