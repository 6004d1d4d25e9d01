import { describe, expect, it } from '@jest/globals';
import { areServers, serverHosts, serversOf } from './servers.js';

describe('where NATS is', () => {
  it.each(['nats://127.0.0.1:4222', '127.0.0.1:4222', 'tls://nats.example', 'nats://[::1]:4222/'])(
    'takes %s',
    (url) => {
      expect(areServers(url)).toBe(true);
      expect(serversOf(url)).toEqual([url]);
    },
  );

  it('takes several, with commas or as a list', () => {
    const urls = ['nats://n-0:4222', 'nats://n-1:4222', 'n-2'];
    expect(serversOf(urls.join(', '))).toEqual(urls);
    expect(areServers(urls)).toBe(true);
    expect(serverHosts(urls)).toEqual(['n-0', 'n-1', 'n-2']);
  });

  it.each(['', 'a,', 'nats://user:secret@a', 'http://a', 'a:99999', 'a/b'])('refuses "%s"', (url) => {
    expect(areServers(url)).toBe(false);
  });

  it('refuses an empty list', () => expect(areServers([])).toBe(false));
});
