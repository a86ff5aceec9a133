"""The paper's experiment repeated with seeds and controls, and a verdict for each of its claims."""
