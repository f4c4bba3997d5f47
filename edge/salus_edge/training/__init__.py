"""Training on a gateway: the compiled program, the algorithms as schedules over it, and the update that is
shared.
"""
