/** What a span says of a message: the contract's subject, never the routing token, which names a vehicle. */

export function messaging(subject: string): Readonly<Record<string, string>> {
  return { 'messaging.system': 'nats', 'messaging.destination.name': subject };
}

/** A subject without its routing token. */
export function contractOf(subject: string): string {
  return subject.replace(/(\.v\d+)\..*$/, '$1');
}
