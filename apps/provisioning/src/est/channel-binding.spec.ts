import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { checkChannelBinding } from './channel-binding.js';

const value = randomBytes(32);
const binding = { type: 'tls-exporter', value };
const good = value.toString('base64');
const other = randomBytes(32).toString('base64');

describe('the channel binding of a request', () => {
  test.each([
    ['the right one', good, 'required', binding, undefined],
    ['the right one, broken into lines', good.replace(/.{20}/g, '$&\n'), 'required', binding, undefined],
    ['the right one where none is needed', good, 'optional', binding, undefined],
    ['none where none is needed', undefined, 'optional', binding, undefined],
    ['none', undefined, 'required', binding, 'est.channel_binding_required'],
    ['another connection’s', other, 'required', binding, 'est.channel_binding_wrong'],
    ['another connection’s where none is needed', other, 'optional', binding, 'est.channel_binding_wrong'],
    ['a part of it', value.subarray(1).toString('base64'), 'optional', binding, 'est.channel_binding_wrong'],
    ['nothing in it', '', 'optional', binding, 'est.channel_binding_wrong'],
    ['a password of people', 'secret', 'optional', binding, 'est.channel_binding_wrong'],
    ['one where the connection has none', good, 'optional', undefined, 'est.channel_binding_wrong'],
    ['none where the connection has none', undefined, 'required', undefined, 'est.channel_binding_required'],
  ] as const)('%s', (_what, password, demanded, expected, code) => {
    const check = () => checkChannelBinding(password, demanded, () => expected);
    if (code) expect(check).toThrow(expect.objectContaining({ code }));
    else expect(check).not.toThrow();
  });
});
