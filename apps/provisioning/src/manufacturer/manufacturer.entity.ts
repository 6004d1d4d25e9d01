import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'manufacturers' })
export class ManufacturerRow {
  @PrimaryColumn({ type: 'text' })
  name!: string;

  /** PEM, one or more CA certificates. */
  @Column({ type: 'text' })
  ca!: string;

  @Column({ name: 'created_at', type: 'timestamptz' })
  createdAt!: Date;

  @Column({ name: 'changed_at', type: 'timestamptz' })
  changedAt!: Date;

  /** Vouches for nobody any more; null: it does. */
  @Column({ name: 'removed_at', type: 'timestamptz', nullable: true })
  removedAt!: Date | null;
}
