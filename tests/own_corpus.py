"""Passages written for the tests of claims: numbers, units, names, hedges, conditions, dates, quotations."""

from __future__ import annotations

PASSAGES: tuple[tuple[str, str], ...] = (
    (
        "Rope bridge",
        "The rope bridge of Quellfeld was built on 12 May 1902 by Ada Kern, who led the village council. "
        "It spans 48 metres and carries at most 3,500 kilograms. "
        "The council may close the bridge for two weeks if the wind exceeds 60 km per hour. "
        "Before the war nearly 3.2 million travellers crossed it, and most of them paid 12 cents. "
        "The first inspection was made in March 1910 by Peter Lund for the World Road Office (WRO). "
        "Lund argued that the ropes should be replaced every six years. "
        "The World Road Office rejected the plan because the costs were higher than expected.",
    ),
    (
        "Water mill",
        "The water mill was designed by Maria Holt in 1871 and opened to the public in 1874. "
        "Its two wheels turn 14 times a minute and grind about 900 kilograms of rye per day. "
        "The mill does not run in winter, although the upper pond rarely freezes. "
        "Some farmers of Brenn bring wheat, but all farmers of Quellfeld bring rye. "
        "In 1931 the owners increased the price of flour from 20 to 25 cents, which led to protests. "
        "The older wheel was made of oak and the newer wheel of steel.",
    ),
    (
        "Trial of the ointment",
        "The trial enrolled 240 patients, and 65% of them were treated with the ointment. "
        "Pain decreased in the treated group but increased in the control group after 8 weeks. "
        "The mean dose was 250 mg, and the highest dose was 400 mg. "
        "Response rates were 52% and 31% in the treated and control groups, respectively. "
        "The authors suggested that the ointment could reduce the use of other drugs. "
        "No serious side effects were reported, but several patients left the trial before the end of March.",
    ),
    (
        "Tower of Brenn",
        "The tower of Brenn was the tallest building in the region until the tower of Hollin was completed in 1988. "
        "Eva Brand defeated Jonas Weil in the election of 1990 and became mayor of Brenn. "
        "The program was organized by the labor union in the center of Brenn. "
        "Weil moved from Hollin to Brenn in September 1985 and founded the third newspaper of the town. "
        "According to the mayor, more than half of the visitors come from the United States. "
        "The tower is likely to be repaired, and the public square below it is usually open.",
    ),
    (
        "Glacier",
        "The northern glacier lost 5 percent of its ice between 1990 and 2010, while the other one gained 2 percent. "
        "It is 7 miles long and covers an area of 2,400 acres. "
        "The lower station was built before the upper station, but both stations were closed after the storm. "
        "A survey by Tomas Rieger found that at least 300 plants grow within 4 kilometres of the station. "
        "The water is not safe unless it is boiled for ten minutes. "
        "The largest lake lies to the east of the glacier, and the smallest lake lies to the west of it.",
    ),
)
