/** Decides from the Content-Type how a body is to be read. */
import { DomainError } from '@outrider/errors';

/**
 * json: one message or an array; lines: NDJSON; cose: one COSE_Sign1; cose-sequence: a CBOR sequence of them; jws: one compact JWS;
 * jws-json: one flattened JWS.
 */
export type BodyForm = 'json' | 'lines' | 'cose' | 'cose-sequence' | 'jws' | 'jws-json';

/** RFC 9052 §12.2, RFC 8742 §7, RFC 7515 §9.2. */
const FORMS: Readonly<Record<string, BodyForm>> = {
  'application/json': 'json',
  'application/x-ndjson': 'lines',
  'application/ndjson': 'lines',
  'application/jsonl': 'lines',
  'application/cose': 'cose',
  'application/cose-seq': 'cose-sequence',
  'application/cbor-seq': 'cose-sequence',
  'application/jose': 'jws',
  'application/jose+json': 'jws-json',
};
/** `application/cose` may say which of its messages it is: the one kind that is taken, quoted as in the registration or not. */
const COSE_TYPE = /;\s*cose-type\s*=\s*"?([^";\s]*)"?/i;

/**
 * @param contentType as the header has it; parameters other than `cose-type` say nothing here
 * @throws DomainError `request.unsupported_media_type`
 */
export function bodyForm(contentType: string): BodyForm {
  const type = contentType.split(';', 1)[0]!.trim().toLowerCase();
  const form = Object.hasOwn(FORMS, type) ? FORMS[type] : undefined;
  const coseType = COSE_TYPE.exec(contentType)?.[1]?.toLowerCase();
  if (form && (type !== 'application/cose' || coseType === undefined || coseType === 'cose-sign1')) return form;
  throw new DomainError('request.unsupported_media_type', {
    detail:
      'send application/json, application/x-ndjson, application/cose; cose-type="cose-sign1", application/cose-seq, application/jose or application/jose+json',
  });
}
