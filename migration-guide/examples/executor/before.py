from concurrent.futures import ProcessPoolExecutor, as_completed


def primes_below(limit):
    sieve = [True] * limit
    for n in range(2, int(limit**0.5) + 1):
        for multiple in range(n * n, limit, n):
            sieve[multiple] = False
    return sum(sieve[2:])


if __name__ == "__main__":
    limits = [10_000, 20_000, 30_000, 40_000]
    with ProcessPoolExecutor(2) as executor:
        print(*executor.map(primes_below, limits))
        futures = [executor.submit(primes_below, limit) for limit in limits]
        print(sum(future.result() for future in as_completed(futures)))
