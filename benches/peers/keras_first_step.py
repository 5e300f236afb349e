"""Prints a line after the first training step of the lecture's Keras program. Usage: KERAS_BACKEND=jax keras_first_step.py"""
import keras
from keras.layers import Dense, Dropout
import mnist_data

(x_train, y_train), _ = mnist_data.load()
model = keras.Sequential([
    keras.Input((784,)),
    Dense(512, activation="relu"), Dropout(0.2),
    Dense(512, activation="relu"), Dropout(0.2),
    Dense(10, activation="softmax"),
])
model.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.RMSprop(), metrics=["accuracy"])
model.train_on_batch(x_train[:128], y_train[:128])
print("first step", flush=True)
