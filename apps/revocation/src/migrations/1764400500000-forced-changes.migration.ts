import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Changes of what force named by its thumbprint alone are told of too, as soon as its certificate is known: OCSP answers from memory
 * until it hears of a change. They stand in no list, so they have no shard.
 */
export class ForcedChanges1764400500000 implements MigrationInterface {
  readonly name = 'ForcedChanges1764400500000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE OR REPLACE FUNCTION tell_revoked() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
      BEGIN
        INSERT INTO status_changes (issuer_key_id, serial_number, crl_shard, change, reason, changed_at)
        SELECT issuer_key_id, serial_number, crl_shard, 'revoked', reason, revoked_at FROM added
        WHERE issuer_key_id IS NOT NULL AND serial_number IS NOT NULL ORDER BY id;
        INSERT INTO status_changes (issuer_key_id, serial_number, change, reason, changed_at)
        SELECT c.issuer_key_id, c.serial_number, 'revoked', a.reason, a.revoked_at
        FROM added a JOIN certificates c ON c.thumbprint = a.thumbprint WHERE a.serial_number IS NULL ORDER BY a.id;
        PERFORM pg_notify('revocation_status', '');
        RETURN NULL;
      END $$`);
    await runner.query(`
      CREATE OR REPLACE FUNCTION tell_released() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
      BEGIN
        INSERT INTO status_changes (issuer_key_id, serial_number, crl_shard, change, reason, changed_at)
        SELECT r.issuer_key_id, r.serial_number, r.crl_shard, 'released', r.reason, a.released_at
        FROM added a JOIN revocations r ON r.id = a.revocation_id
        WHERE r.issuer_key_id IS NOT NULL AND r.serial_number IS NOT NULL ORDER BY a.id;
        INSERT INTO status_changes (issuer_key_id, serial_number, change, reason, changed_at)
        SELECT c.issuer_key_id, c.serial_number, 'released', r.reason, a.released_at
        FROM added a JOIN revocations r ON r.id = a.revocation_id JOIN certificates c ON c.thumbprint = r.thumbprint
        WHERE r.serial_number IS NULL ORDER BY a.id;
        PERFORM pg_notify('revocation_status', '');
        RETURN NULL;
      END $$`);
  }

  async down(): Promise<void> {
    throw new Error('migrations go forward only');
  }
}
