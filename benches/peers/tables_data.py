"""Five tables of $HADAL_DATA_DIR/tables, the folds of their rows and scikit-learn's usual preparation of columns."""
import json
import os
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

# table: target, dropped columns (`alive` repeats `survived`; `name` is free text), classification or regression
TABLES = {
    "iris": ("species", [], True),
    "penguins": ("species", [], True),
    "titanic": ("survived", ["alive"], True),
    "mpg": ("mpg", ["name"], False),
    "diamonds": ("price", [], False),
}


def path(table):
    return os.path.join(os.environ["HADAL_DATA_DIR"], "tables", f"{table}.csv")


def load(table):
    """The inputs as a data frame, numbers and categories (yes/no among them), and the target, which no row lacks."""
    target, dropped, _ = TABLES[table]
    frame = pd.read_csv(path(table))
    assert frame[target].notna().all(), f"{table}: missing values in {target}"
    x = frame.drop(columns=[target, *dropped])
    # SimpleImputer refuses bool.
    return x.astype({name: str for name in x.select_dtypes("bool")}), frame[target]


def folds(file):
    """Test rows (0-based, as read) of five folds per table: read from `file`, which is made when it does not exist."""
    if not os.path.exists(file):
        made = {}
        for table, (_, _, classes) in TABLES.items():
            x, y = load(table)
            split = (StratifiedKFold if classes else KFold)(5, shuffle=True, random_state=0)
            made[table] = [test.tolist() for _, test in split.split(x, y)]
        with open(file, "w") as out:
            json.dump(made, out)
    with open(file) as made:
        return json.load(made)


def prepare(x):
    """Gaps filled, numbers standardised, categories one-hot."""
    numbers = list(x.select_dtypes("number"))
    return ColumnTransformer([
        ("numbers", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
        ("categories", make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")),
         [name for name in x if name not in numbers]),
    ])
