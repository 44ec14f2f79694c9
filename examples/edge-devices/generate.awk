# Synthetic minutes of people who wear a band at the wrist: a file for each. awk -v seed=1 -v devices=200 -f ../random.awk -f generate.awk
#
# Everybody has a heart, a stride and a way to wear the band of their own, so that one person's records do for nobody else.

BEGIN {
    split("rest walk run", activities, " ")
    for (device = 1; device <= devices; device++) {
        file = "records/device-" device ".csv"
        print "movement,steps,heart_rate,skin_temperature,activity" > file
        heart = 62 + 8 * normal()
        fit = uniform()
        loose = 0.8 + 0.4 * uniform()
        for (minute = 0; minute < 10; minute++) {
            a = between(1, 3)
            movement = at_least(loose * (a == 1 ? 0.06 : a == 2 ? 0.3 : 0.75) * (1 + 0.35 * normal()), 0)
            steps = a == 1 ? at_least(int(8 * normal()), 0) : at_least(int((a == 2 ? 95 : 140) + 22 * normal()), 0)
            rate = heart + (a == 1 ? 0 : a == 2 ? 25 : 75) * (1.2 - 0.5 * fit) + 9 * normal()
            printf("%.3f,%d,%d,%.1f,%s\n", movement, steps, rate, 32.5 + 0.6 * normal(), activities[a]) > file
        }
        close(file)
    }
}
