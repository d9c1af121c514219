import pLimit from 'outpool/p-limit'

const limit = pLimit(2)
const collatz = (start) => {
  let steps = 0
  for (let n = start; n !== 1; steps++) n = n % 2 === 0 ? n / 2 : 3 * n + 1
  return steps
}

console.log(await Promise.all([27, 97, 871].map((start) => limit(collatz, start))))
console.log(await limit.map([6171, 77031], collatz))
