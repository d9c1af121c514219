import { readdirSync } from 'node:fs'

/** What lies in a folder; nothing where there is no such folder, or it cannot be read. */
export function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
