/** Names of a service's PostgreSQL schema and roles. */
import type { Service } from '@outrider/ids';

/** The schema a service owns, which is also its runtime role; `<schema>_owner` runs migrations. */
export function schemaOf(service: Service): string {
  return service.replaceAll('-', '_');
}

export function ownerRoleOf(service: Service): string {
  return `${schemaOf(service)}_owner`;
}
