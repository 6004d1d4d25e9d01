import { deniedInLog } from '../harness/decisions.js';
import { endpoints } from '../harness/endpoints.js';
import { newDeviceId } from '../harness/folder.js';
import { newKey, newRequest } from '../harness/openssl.js';
import { est, makeDevice, Vehicle } from '../harness/vehicle.js';
import { attack } from './attack.js';
import { unharmed } from './cast.js';
import { type Authority, issue, newAuthority } from './forged-authority.js';
import { said } from './said.js';

const EXPIRED = { from: '20240101000000Z', until: '20240201000000Z' } as const;

export const uninvitedEnrolment = attack(
  19,
  'enrols with a self-made certificate, an expired factory certificate, one of an unknown manufacturer, a fleet leaf as if it were a factory one',
  'refused each',
  async (trial) => {
    const begun = new Date();
    const id = newDeviceId('invited');
    const factory = await makeDevice(id);
    const body = await newRequest(await newKey('uninvited.key', 'P-256'), `/CN=${id}`);
    const subject = `/O=Demo Motors/serialNumber=DM-${id.toUpperCase()}/CN=${id}`;
    const real: Authority = { certificate: endpoints.factory.ca, key: endpoints.factory.key };
    const unknown = await newAuthority('other-motors', '/O=Other Motors/CN=Other Motors Factory CA');
    const named = await newAuthority('same-name', '/O=Demo Motors/CN=Demo Motors Factory CA');
    const enrol = async (client?: { certificate: string; key: string }) =>
      said(await est('simpleenroll', body, client));

    trial.check('no certificate', '401 est.certificate_required', await enrol());
    trial.check('self-made', '403 est.manufacturer_unknown', await enrol(await newAuthority('self-made', subject)));
    trial.check(
      'of an unknown manufacturer',
      '403 est.manufacturer_unknown',
      await enrol(await issue(unknown, 'unknown', subject)),
    );
    trial.check(
      'of a CA with a known name',
      '403 est.manufacturer_unknown',
      await enrol(await issue(named, 'named', subject)),
    );
    const lapsed = await enrol(await issue(real, 'lapsed', subject, EXPIRED));
    trial.check('expired', /^40[13] (tls\.certificate_expired|est\.[a-z_]+)$/, lapsed);
    const byLeaf = await issue(factory, 'by-leaf', subject);
    trial.check('signed by a factory leaf', /^403 est\./, await enrol(byLeaf));
    const stranger = await issue(real, 'stranger', `/O=Demo Motors/serialNumber=DM-NOBODY/CN=${id}`);
    trial.check('of a serial nobody registered', '403 est.device_unknown', await enrol(stranger));
    const nameless = await issue(real, 'nameless', `/O=Demo Motors/CN=${id}`);
    trial.check('without a serial', /^403 est\./, await enrol(nameless));
    const two = await issue(real, 'two', `/serialNumber=DM-NOBODY${subject}`);
    trial.check('with two serials', /^403 est\./, await enrol(two));
    const vehicle = await Vehicle.enrol('fleet-leaf');
    trial.check('a fleet leaf', '403 est.certificate_refused', await enrol(vehicle));

    // A label lets nobody in whom no manufacturer vouches for, and takes no one for another.
    for (const label of ['open', 'approve']) {
      const at = async (client?: { certificate: string; key: string }, request = body) =>
        said(await est(`${label}/simpleenroll`, request, client));
      const name = (what: string) => `${what}, at ${label}`;
      trial.check(name('self-made'), '403 est.manufacturer_unknown', await at({ ...unknown }));
      const forged = await issue(unknown, `unknown-${label}`, subject);
      trial.check(name('of an unknown manufacturer'), '403 est.manufacturer_unknown', await at(forged));
      trial.check(name('signed by a factory leaf'), /^403 est\./, await at(byLeaf));
      trial.check(name('a fleet leaf'), '403 est.certificate_refused', await at(vehicle));
      trial.check(name("another's name, by a stranger"), '400 est.csr_name_mismatch', await at(stranger));
    }
    trial.check(
      'a label that nobody configured',
      '404 est.label_unknown',
      said(await est('no-such/simpleenroll', body, factory)),
    );
    for (const code of ['est.certificate_required', 'est.manufacturer_unknown', 'est.device_unknown'])
      await deniedInLog(code, { service: 'provisioning', since: begun });
    // So that what was refused above was refused for the one thing that was wrong with it.
    const good = await enrol(await issue(real, 'good', subject));
    trial.must('one made the same way, with nothing wrong', good === '200', good);
    const invited = await est('simpleenroll', body, factory);
    trial.must('the factory certificate itself still enrols', invited.status === 200, said(invited));
    await unharmed(trial);
  },
);
