"""A recording in an array: twelve leads, a table, a picture.

    python docs/examples/from_array.py [RECORD.csv]

The file has a column per lead in mV and no header: I, II at 500 Hz. Without one a synthetic heart is used.
"""

import sys

import numpy as np

import ecg_edge as ee

if len(sys.argv) > 1:
    mv = np.loadtxt(sys.argv[1], delimiter=",")
else:
    from ecg_edge.firmware_bridge.synthetic_heart.heart import SyntheticHeart

    mv = SyntheticHeart(500, ("I", "II")).read(5000)

twelve = ee.reconstruct(mv, fs=500, leads=("I", "II"))
print(twelve)
for lead in ("II", "V2", "V5"):
    k = ee.LEADS.index(lead)
    height, width = twelve.mv[:, k].max(), np.nan_to_num(twelve.interval[:, k]).max()
    print(f"{lead:>3} {twelve.provenance[k].value:<13} up to {height:.2f} mV, stated within {width:.2f} mV")

try:
    twelve.to_dataframe().to_csv("twelve.csv")
    twelve.plot().savefig("twelve.png")
except ee.MissingExtraError as e:
    print(e)
