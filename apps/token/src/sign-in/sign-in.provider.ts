/** All that the service needs for people, in one list for its module. */
import { Enrolment } from '../person/enrolment.service.js';
import { Factors } from '../person/factors.repository.js';
import { PasswordChange } from '../person/password-change.service.js';
import { Passwords } from '../person/passwords.service.js';
import { PersonController } from '../person/person.controller.js';
import { Persons } from '../person/persons.repository.js';
import { WebAuthn } from '../person/webauthn.service.js';
import { WebAuthnCredentials } from '../person/webauthn-credentials.repository.js';
import { Sealer } from '../sealing/sealer.service.js';
import { AttemptLog } from './attempt-log.service.js';
import { OidcClient } from './oidc/oidc.client.js';
import { OidcController } from './oidc/oidc.controller.js';
import { OidcSignIn } from './oidc/oidc-sign-in.service.js';
import { PersonTokens } from './person-tokens.service.js';
import { SecondFactors } from './second-factor.service.js';
import { SignInController } from './sign-in.controller.js';
import { SignInService } from './sign-in.service.js';
import { SignIns } from './sign-ins.repository.js';
import { Throttle } from './throttle.service.js';

export const SIGN_IN_CONTROLLERS = [SignInController, OidcController, PersonController];

export const SIGN_IN_PROVIDERS = [
  Sealer,
  Persons,
  Factors,
  WebAuthnCredentials,
  WebAuthn,
  Passwords,
  Enrolment,
  PasswordChange,
  SignIns,
  Throttle,
  AttemptLog,
  PersonTokens,
  SignInService,
  SecondFactors,
  OidcClient,
  OidcSignIn,
];
