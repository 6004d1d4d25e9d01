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
}
