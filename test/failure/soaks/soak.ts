/** What a soak is. */
import type { FailureCluster } from '../support.ts'

export interface SoakReport {
  /** Something to know, with the time. */
  readonly note: (text: string) => void
  /** Something that has to hold. */
  readonly check: (text: string, holds: boolean) => void
  /** A folder for what has to be read after a finding; it is made by who has something for it, and stays. */
  readonly keepIn: string
}

export interface Soak {
  readonly title: string
  run(cluster: FailureCluster, report: SoakReport): Promise<void>
}

/** The entries of tables that are not empty, as text; '' when all are. */
export function leftovers(left: Readonly<Record<string, number>>): string {
  return Object.entries(left)
    .map(([name, size]) => `${name}: ${size}`)
    .join(', ')
}
