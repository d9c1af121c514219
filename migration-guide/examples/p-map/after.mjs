import pMap from 'outpool/p-map'

const histogram = (text) => {
  const counts = {}
  for (const letter of text) counts[letter] = (counts[letter] ?? 0) + 1
  return counts
}

console.log(await pMap(['kayak', 'mississippi', 'banana'], histogram, { concurrency: 2 }))
