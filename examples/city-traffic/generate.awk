# Synthetic hours of a city's districts. awk -v seed=1 -v hours=500 -f ../random.awk -f generate.awk
#
# The delay has a shape over the day, which rain multiplies and roadworks and events add to, and noise of 1.5 minutes.

function rush(day, hour) {
    if (day != "workday") return hour >= 11 && hour <= 17 ? 4 : 1
    if (hour >= 7 && hour <= 9) return 9
    if (hour >= 16 && hour <= 18) return 12
    return hour >= 6 && hour <= 21 ? 4 : 0.5
}

BEGIN {
    split("centre harbour hills old-town west", districts, " ")
    for (d = 1; d <= 5; d++) {
        file = districts[d] ".csv"
        print "day,hour,rain_mm,roadworks,event,temperature,delay" > file
        # Each district has its own weather and works.
        wet = 0.2 + 0.04 * d
        works = 0.5 + 0.3 * d
        for (row = 0; row < hours; row++) {
            u = uniform()
            day = u < 5 / 7 ? "workday" : u < 6 / 7 ? "saturday" : "sunday"
            hour = between(0, 23)
            rain = chance(wet) * 6 * uniform()
            roadworks = int(works * 2 * uniform())
            event = hour >= 18 && chance(0.3)
            delay = rush(day, hour) * (1 + 0.15 * rain) + 1.5 * roadworks + 6 * event + 1.5 * normal()
            printf("%s,%d,%.1f,%d,%s,%.1f,%.1f\n", day, hour, rain, roadworks, event ? "yes" : "no", 12 + 7 * normal(), at_least(delay, 0)) > file
        }
    }
}
