/** Undoes what a spec file did to the environment and to global names. */

/** What is there now; the returned function brings it back. */
export function keepGlobals() {
  const environment = { ...process.env };
  const names = Object.getOwnPropertyDescriptors(globalThis);
  const folder = process.cwd();
  return () => {
    for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
    Object.assign(process.env, environment);
    if (process.cwd() !== folder) process.chdir(folder);
    for (const name of Object.getOwnPropertyNames(globalThis)) if (!(name in names)) delete globalThis[name];
    for (const [name, was] of Object.entries(names)) {
      const is = Object.getOwnPropertyDescriptor(globalThis, name);
      // A name that Node fills in at its first use has a getter until then.
      if (is?.value !== was.value && was.configurable && !was.get) Object.defineProperty(globalThis, name, was);
    }
    delete globalThis[Symbol.for('TEST_TIMEOUT_SYMBOL')];
  };
}
