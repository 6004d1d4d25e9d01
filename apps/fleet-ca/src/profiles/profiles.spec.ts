import { describe, expect, it } from '@jest/globals';
import vehicle from '@outrider/x509/profiles/vehicle.json' with { type: 'json' };
import { offeredProfiles } from './profiles.js';

const trucks = { ...vehicle, name: 'vehicle-trucks', lifetimeSeconds: { min: 60, default: 7200, max: 7200 } };
const source = (json: object, name = 'vehicle-trucks') => ({ name, json });

describe('offeredProfiles', () => {
  it('gives what is offered, of the product or of a further file, and nothing else', () => {
    const profiles = offeredProfiles(['vehicle', 'vehicle-trucks'], [source(trucks)]);
    expect([...profiles.keys()]).toEqual(['vehicle', 'vehicle-trucks']);
    expect(profiles.get('vehicle-trucks')).toMatchObject({ lifetimeSeconds: { max: 7200 }, sanUri: 'vehicle' });
  });

  it.each<[string, string[], object[]]>([
    ['an offer that is not there', ['vehicle-buses'], []],
    ['an authority', ['vehicle-ca'], []],
    ['what only the ceremony makes', ['service-server'], []],
    ['a file under another name', ['vehicle'], [source(trucks, 'trucks')]],
    ['a name of the product’s own', ['vehicle'], [source({ ...trucks, name: 'vehicle' }, 'vehicle')]],
    ['an unknown member', ['vehicle'], [source({ ...trucks, policy: 'any' })]],
    ['a missing member', ['vehicle'], [source({ ...trucks, backdateSeconds: undefined })]],
    ['another usage for provisioning', ['vehicle'], [source({ ...trucks, extendedKeyUsages: ['ocspSigning'] })]],
    ['a usage beside its own', ['vehicle'], [source({ ...trucks, extendedKeyUsages: ['clientAuth', 'serverAuth'] })]],
    ['a service’s name for provisioning', ['vehicle'], [source({ ...trucks, sanUri: 'service' })]],
    ['the command’s profile for another', ['vehicle'], [source({ ...trucks, requestedBy: ['command'] })]],
    ['an authority on request', ['vehicle'], [source({ ...trucks, ca: { pathLength: 0 }, keyUsage: ['keyCertSign'] })]],
    ['a leaf that signs', ['vehicle'], [source({ ...trucks, keyUsage: ['digitalSignature', 'keyCertSign'] })]],
    [
      'bounds in the wrong order',
      ['vehicle'],
      [source({ ...trucks, lifetimeSeconds: { min: 60, default: 30, max: 90 } })],
    ],
    ['an RSA key', ['vehicle'], [source({ ...trucks, keyAlgorithms: ['RSA'] })]],
  ])('refuses %s', (_, offered, further) => {
    expect(() => offeredProfiles(offered, further as Parameters<typeof offeredProfiles>[1])).toThrow(
      expect.objectContaining({ code: 'ca.profile_invalid' }),
    );
  });
});
