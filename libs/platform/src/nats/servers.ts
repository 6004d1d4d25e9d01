/** Reads from a configuration where NATS is: one server, or the nodes of a cluster. */

/** As written: one URL, URLs with commas between, or a list of them. */
export type ServerUrls = string | readonly string[];

/** A user or password in it would reach logs: those have keys of their own. */
const SERVER = /^(?:(?:nats|tls):\/\/)?(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::(\d{1,5}))?\/?$/i;

export function serversOf(url: ServerUrls): string[] {
  return (typeof url === 'string' ? url.split(',') : [...url]).map((one) => one.trim());
}

export function areServers(url: ServerUrls): boolean {
  const servers = serversOf(url);
  return servers.length > 0 && servers.every((one) => SERVER.test(one) && Number(SERVER.exec(one)?.[2] ?? 1) <= 65_535);
}

/** The host of each, in the order written. */
export function serverHosts(url: ServerUrls): string[] {
  return serversOf(url).map((one) => SERVER.exec(one)?.[1] ?? one);
}
