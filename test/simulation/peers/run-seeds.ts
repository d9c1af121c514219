/** `run-seeds.ts <from> <to>`: prints the first finding of these seeds as JSON, or null. */
import { findFirst } from './seeds.ts'

const [from, to] = process.argv.slice(2).map(Number)
void findFirst(from ?? 1, to ?? 1).then((finding) => process.stdout.write(JSON.stringify(finding ?? null)))
